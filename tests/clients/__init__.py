"""Programs of customers, with libraries as published."""
