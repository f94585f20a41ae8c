/**
 * Builds the console's page: src/web/page -> dist/web/page, files that the switch serves itself.
 *
 *     npm run build:web      a finished build
 *     npx vite               with reloading; TAPSWITCH_WEB says where the switch's API answers
 *
 * No source of the page stands inline in the HTML: the content security policy allows none.
 */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const api = process.env.TAPSWITCH_WEB ?? 'http://127.0.0.1:8480';

export default defineConfig({
  root: path('src/web/page'),
  base: './',
  publicDir: false,
  cacheDir: path('node_modules/.vite-page'),
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: {
    outDir: path('dist/web/page'),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Cytoscape is large, and loaded where the topology is drawn only.
    chunkSizeWarningLimit: 450,
  },
  server: { proxy: { '/api': { target: api, ws: true, changeOrigin: true } } },
});
