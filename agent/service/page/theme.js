// Before the first paint, so that nobody is shown the other theme first. Kept on this device alone.
try {
  const theme = localStorage.getItem("chartline.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // storage is closed to this page: the system's own theme serves
}
