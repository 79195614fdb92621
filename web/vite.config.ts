import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// `npm run dev` shows the page with a running `vigil serve` behind it.
const server = process.env.VIGIL_URL ?? 'http://127.0.0.1:8126';

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2023',
    // Each asset is a file of its own: the page's content policy allows no data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: { host: '127.0.0.1', proxy: { '/api': server } },
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
});
