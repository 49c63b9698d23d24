// Buttons that show what is typed into a password field.

for (const button of document.querySelectorAll("[data-show-password]")) {
  const input = document.getElementById(button.dataset.showPassword);
  button.hidden = false;
  button.setAttribute("aria-label", "Show the password");
  button.addEventListener("click", () => {
    const isShown = input.type === "password";
    input.type = isShown ? "text" : "password";
    button.textContent = isShown ? "Hide" : "Show";
    button.setAttribute("aria-pressed", String(isShown));
  });
  // A password manager should find a password field, whatever was on the screen.
  input.form.addEventListener("submit", () => (input.type = "password"));
}
