import { defineConfig, globalIgnores } from 'eslint/config'
import nextCoreWebVitals from 'eslint-config-next/core-web-vitals'
import nextTypescript from 'eslint-config-next/typescript'

export default defineConfig([
  globalIgnores(['.next/**', 'next-env.d.ts']),
  ...nextCoreWebVitals,
  ...nextTypescript,
  {
    rules: {
      eqeqeq: 'error',
      // Whatever is printed ends up in a production log; see lib/server/forward.ts
      // for the one line that is allowed.
      'no-console': 'error',
    },
  },
])
