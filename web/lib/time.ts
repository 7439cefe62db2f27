import { Temporal } from 'temporal-polyfill'

/**
 * Instants, days and their texts. Every text is in a zone the caller names (the
 * org's), never the browser's, and every step over the calendar is Temporal's.
 */

export type Instant = Temporal.Instant
/** A calendar day without a zone, as `YYYY-MM-DD`. */
export type Day = string
export type CalendarView = 'day' | 'week' | 'month'
/** Half-open: `end` is the first instant outside. */
export interface TimeRange {
  start: Instant
  end: Instant
}

const LOCALE = 'en-GB'

/**
 * Reads a `timestamptz` as the API writes it. PostgREST sends ISO 8601 always;
 * the local API sends Postgres's own text (`2026-11-23 07:00:00+00`) for columns
 * of the table asked and ISO for embedded ones. Both name an offset; a text
 * without one is refused rather than guessed.
 */
export function parseTimestamp(text: string): Instant {
  return Temporal.Instant.from(text.trim())
}

export function now(): Instant {
  return Temporal.Now.instant()
}

/** The day it is now in that zone. */
export function today(timeZone: string): Day {
  return Temporal.Now.plainDateISO(timeZone).toString()
}

/** The day on which an instant falls in that zone. */
export function dayOf(instant: Instant, timeZone: string): Day {
  return instant.toZonedDateTimeISO(timeZone).toPlainDate().toString()
}

/** The same day one or more views later, or earlier when negative. */
export function step(day: Day, view: CalendarView, count: number): Day {
  const unit = { day: 'days', week: 'weeks', month: 'months' }[view]
  return Temporal.PlainDate.from(day)
    .add({ [unit]: count })
    .toString()
}

/** A day from an address bar, or null when it is none. */
export function parseDay(text: string | null): Day | null {
  if (!text || !/^\d{4}-\d{2}-\d{2}$/.test(text)) return null
  try {
    return Temporal.PlainDate.from(text).toString()
  } catch {
    return null
  }
}

/** Whether this browser knows the zone; an old one may lack a new name. */
export function isKnownTimeZone(timeZone: string): boolean {
  try {
    formatter({ hour: '2-digit' }, timeZone)
    return true
  } catch {
    return false
  }
}

/** `09:00` */
export function formatTime(instant: Instant, timeZone: string): string {
  return formatter({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }, timeZone).format(instant.epochMilliseconds)
}

/** `09:00–10:00` */
export function formatTimes(start: Instant, end: Instant, timeZone: string): string {
  return `${formatTime(start, timeZone)}–${formatTime(end, timeZone)}`
}

/** `Monday 23 November` */
export function formatDay(instant: Instant, timeZone: string): string {
  return formatter({ weekday: 'long', day: 'numeric', month: 'long' }, timeZone).format(instant.epochMilliseconds)
}

/** `23–29 November 2026` */
export function formatRange(range: TimeRange, timeZone: string): string {
  const last = range.end.subtract({ milliseconds: 1 })
  return formatter({ day: 'numeric', month: 'long', year: 'numeric' }, timeZone).formatRange(
    range.start.epochMilliseconds,
    last.epochMilliseconds,
  )
}

/** `23 November 2026`, of a day that belongs to no zone. */
export function formatPlainDay(day: Day): string {
  const date = Temporal.PlainDate.from(day).toZonedDateTime('UTC')
  return formatter({ day: 'numeric', month: 'long', year: 'numeric' }, 'UTC').format(date.epochMilliseconds)
}

/** `GMT+10`, or `GMT+10 to GMT+11` when the clocks change inside the range. */
export function formatOffset(range: TimeRange, timeZone: string): { text: string; changes: boolean } {
  const at = (instant: Instant) =>
    formatter({ timeZoneName: 'shortOffset' }, timeZone)
      .formatToParts(instant.epochMilliseconds)
      .find((part) => part.type === 'timeZoneName')?.value ?? ''
  const first = at(range.start)
  const last = at(range.end.subtract({ milliseconds: 1 }))
  return first === last ? { text: first, changes: false } : { text: `${first} to ${last}`, changes: true }
}

// Making a formatter costs far more than using it, and a week needs hundreds of texts.
const formatters = new Map<string, Intl.DateTimeFormat>()

function formatter(options: Intl.DateTimeFormatOptions, timeZone: string): Intl.DateTimeFormat {
  const key = timeZone + JSON.stringify(options)
  let made = formatters.get(key)
  if (!made) {
    made = new Intl.DateTimeFormat(LOCALE, { ...options, timeZone })
    formatters.set(key, made)
  }
  return made
}
