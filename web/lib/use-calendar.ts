import { useCallback, useEffect, useState } from 'react'
import { startPolling } from './poll'
import { ApiError, loadingProblem, type Problem } from './sentences'
import type { Supabase } from './supabase'
import { now, parseTimestamp, type CalendarView, type Day, type Instant, type TimeRange } from './time'

/** Text with a check in the database, so the generated types say `string`. */
type BookingStatus = 'pending' | 'confirmed' | 'cancelled' | 'completed' | 'no_show'

export interface CalendarBooking {
  id: string
  start: Instant
  end: Instant
  status: Exclude<BookingStatus, 'cancelled'>
  sessionType: string
  /** Null when row security hides the client. */
  clientName: string | null
  clientConfirmed: boolean
  confirmationSentAt: Instant | null
}

export interface CalendarQuery {
  orgId: string
  timeZone: string
  view: CalendarView
  /** Any day inside the wanted day, week or month. */
  anchor: Day
  /** 0 = Sunday … 6 = Saturday. */
  weekStart: number
}

export type CalendarState =
  | { status: 'loading' }
  | { status: 'failed'; problem: Problem }
  | {
      status: 'ready'
      /** What the database says the view covers; the bookings are exactly those inside. */
      range: TimeRange
      bookings: CalendarBooking[]
      /** There are more than one answer may hold. */
      truncated: boolean
      checkedAt: Instant
      /** Set while newer checks fail: what is shown is as old as `checkedAt`. */
      problem: Problem | null
    }

const POLL_MS = 15_000
const MAX_POLL_MS = 120_000
const TIMEOUT_MS = 12_000
/** Hosted Supabase cuts answers here; asking for as many makes the cut visible. */
const MAX_ROWS = 1000

/**
 * The bookings of one view, kept up to date while the page is open. A change of
 * view, day or org drops the old answer at once: what is returned always belongs
 * to the query given.
 */
export function useCalendar(client: Supabase, query: CalendarQuery): CalendarState & { retry: () => void } {
  const { orgId, timeZone, view, anchor, weekStart } = query
  const key = [orgId, timeZone, view, anchor, weekStart].join('|')
  const [held, setHeld] = useState<{ key: string; state: CalendarState }>({ key, state: { status: 'loading' } })
  const [attempt, setAttempt] = useState(0)

  useEffect(() => {
    const wanted = { orgId, timeZone, view, anchor, weekStart }
    let range: TimeRange | null = null

    return startPolling({
      intervalMs: POLL_MS,
      maxIntervalMs: MAX_POLL_MS,
      timeoutMs: TIMEOUT_MS,
      run: async (signal) => {
        // The range of a query is fixed, so one question per query suffices.
        range ??= await loadRange(client, wanted, signal)
        return { range, bookings: await loadBookings(client, orgId, range, signal) }
      },
      onResult: ({ range, bookings }) =>
        setHeld({
          key,
          state: {
            status: 'ready',
            range,
            bookings,
            truncated: bookings.length >= MAX_ROWS,
            checkedAt: now(),
            problem: null,
          },
        }),
      onFailure: (error) => {
        setHeld((before) => {
          if (before.key === key && before.state.status === 'ready') {
            const problem = loadingProblem(error, 'The bookings could not be brought up to date')
            return { key, state: { ...before.state, problem } }
          }
          return { key, state: { status: 'failed', problem: loadingProblem(error, 'The bookings could not be loaded') } }
        })
      },
    })
  }, [client, key, orgId, timeZone, view, anchor, weekStart, attempt])

  const retry = useCallback(() => {
    setHeld((before) => (before.state.status === 'failed' ? { ...before, state: { status: 'loading' } } : before))
    setAttempt((count) => count + 1)
  }, [])

  return { ...(held.key === key ? held.state : { status: 'loading' as const }), retry }
}

async function loadRange(client: Supabase, query: CalendarQuery, signal: AbortSignal): Promise<TimeRange> {
  const { data, error, status } = await client
    .rpc('calendar_range', {
      p_view: query.view,
      p_anchor: query.anchor,
      p_timezone: query.timeZone,
      p_week_start: query.weekStart,
    })
    .abortSignal(signal)
  if (error) throw new ApiError(status, error.code || null)
  const row = data[0]
  if (!row) throw new ApiError(status, 'EMPTY_RANGE')
  return { start: parseTimestamp(row.range_start), end: parseTimestamp(row.range_end) }
}

async function loadBookings(
  client: Supabase,
  orgId: string,
  range: TimeRange,
  signal: AbortSignal,
): Promise<CalendarBooking[]> {
  const { data, error, status } = await client
    .from('bookings')
    .select('id, start_time, end_time, status, session_type, client_confirmed, confirmation_sent_at, clients(full_name)')
    .eq('org_id', orgId)
    .gte('start_time', range.start.toString())
    .lt('start_time', range.end.toString())
    .neq('status', 'cancelled')
    .order('start_time')
    .limit(MAX_ROWS)
    // The poll is the retry: supabase-js's own would hide a failure for seconds.
    .retry(false)
    .abortSignal(signal)
  if (error) throw new ApiError(status, error.code || null)
  return data.map((row) => ({
    id: row.id,
    start: parseTimestamp(row.start_time),
    end: parseTimestamp(row.end_time),
    status: row.status as CalendarBooking['status'],
    sessionType: row.session_type,
    clientName: (row.clients as { full_name: string } | null)?.full_name ?? null,
    clientConfirmed: row.client_confirmed === true,
    confirmationSentAt: row.confirmation_sent_at === null ? null : parseTimestamp(row.confirmation_sent_at),
  }))
}
