"""The tests. Folders whose tests share servers are packages: a fixture of that scope ends with the folder."""
