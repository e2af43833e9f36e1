import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// What is built holds to the face's Content-Security-Policy: no inline script or style, nothing from elsewhere, no asset as data.
export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  build: {
    outDir: "../dist/console",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
    reportCompressedSize: false,
  },
  // `npm run dev -w @sallyport/console` beside `make run`.
  server: { proxy: { "/api/v1": process.env.SALLYPORT_CONSOLE_URL ?? "http://127.0.0.1:7081" } },
});
