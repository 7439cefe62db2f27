import { defineConfig, devices } from '@playwright/test'

/**
 * Browser tests against a running stack: WEB_URL says where, COACH_EMAIL and
 * COACH_PASSWORD who (the demo coach of the seed when unset), CHROMIUM_PATH which
 * Chromium (Playwright's own when unset).
 */
export default defineConfig({
  testDir: '.',
  outputDir: './results',
  reporter: [['list'], ['html', { outputFolder: './report', open: 'never' }]],
  forbidOnly: Boolean(process.env.CI),
  // The tests share one running stack and one coach.
  workers: 1,
  retries: 0,
  timeout: 45_000,
  expect: { timeout: 15_000 },
  use: {
    ...devices['Desktop Chrome'],
    viewport: { width: 1280, height: 900 },
    baseURL: process.env.WEB_URL ?? 'http://127.0.0.1:3000',
    // Far from the org's zone: whatever shows the browser's time fails.
    timezoneId: 'America/Los_Angeles',
    locale: 'en-US',
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: process.env.CHROMIUM_PATH || undefined,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
      ],
    },
  },
})
