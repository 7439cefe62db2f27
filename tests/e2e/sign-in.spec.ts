import { expect, test, type Page } from '@playwright/test'

const EMAIL = process.env.COACH_EMAIL ?? 'coach@demo.coach-os.test'
const PASSWORD = process.env.COACH_PASSWORD ?? 'demo-coach-2026'

/** Of the seed: a booking of the current week, in the org's own zone. */
const SEEDED = { client: 'Alex Rivera', time: '09:00–10:00', zone: 'Australia/Brisbane' }

async function signIn(page: Page, password = PASSWORD) {
  await page.goto('/sign-in')
  await page.getByLabel('E-mail').fill(EMAIL)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** Whatever the browser complains about while `page` is used. */
function complaints(page: Page): string[] {
  const seen: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') seen.push(message.text())
  })
  page.on('pageerror', (error) => seen.push(String(error)))
  return seen
}

const seededBooking = (page: Page) =>
  page.getByRole('article').filter({ hasText: SEEDED.client }).filter({ hasText: SEEDED.time })

test('the demo coach signs in and sees the seeded booking in the org’s time', async ({ page }) => {
  const seen = complaints(page)
  await page.goto('/')
  await expect(page).toHaveURL(/\/sign-in$/)
  await signIn(page)

  await expect(page).toHaveURL(/\/calendar$/)
  await expect(page.getByText(`Times in ${SEEDED.zone}`)).toBeVisible()
  const booking = seededBooking(page).first()
  await expect(booking).toBeVisible()

  // Its place says the same as its text: on the grid it begins at the 09:00 line.
  const line = page.getByText('09:00', { exact: true }).first()
  const [block, label] = [await booking.boundingBox(), await line.boundingBox()]
  expect(Math.abs((block?.y ?? 0) - (label?.y ?? Infinity))).toBeLessThan(12)

  await page.getByRole('button', { name: 'Next week' }).click()
  await expect(seededBooking(page)).toHaveCount(0)
  await page.getByRole('button', { name: 'Today' }).click()
  await expect(seededBooking(page).first()).toBeVisible()

  // The sign-in is kept over a reload, and given up by signing out.
  await page.reload()
  await expect(seededBooking(page).first()).toBeVisible()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await expect(page).toHaveURL(/\/sign-in$/)

  expect(seen).toEqual([])
})

test('bookings that cannot be loaded are a failure with a retry, never an empty week', async ({ page }) => {
  await page.route('**/rest/v1/bookings*', (route) => route.abort())
  await signIn(page)

  await expect(page.getByRole('alert').filter({ hasText: 'could not be loaded' })).toBeVisible()
  await expect(page.getByText('Nothing booked')).toHaveCount(0)
  await expect(page.getByRole('article')).toHaveCount(0)

  await page.unroute('**/rest/v1/bookings*')
  await page.getByRole('button', { name: 'Retry' }).click()
  await expect(seededBooking(page).first()).toBeVisible()
  await expect(page.getByText('could not be loaded')).toHaveCount(0)
})

test('a wrong password is refused in one sentence', async ({ page }) => {
  await signIn(page, `${PASSWORD}-wrong`)
  await expect(page.getByText('That e-mail and password do not match. Check both and try again.')).toBeVisible()
  await expect(page).toHaveURL(/\/sign-in$/)
})
