'use client'

import dynamic from 'next/dynamic'
import { useSearchParams } from 'next/navigation'
import { formatOffset, formatPlainDay, formatRange, formatTime, isKnownTimeZone, parseDay, step, type Day } from '@/lib/time'
import { useCalendar } from '@/lib/use-calendar'
import { useOrg, type Org } from '@/lib/use-org'
import { useToday } from '@/lib/use-today'
import type { Problem } from '@/lib/sentences'
import { BOOKING_STATUSES } from './booking'
import { CalendarSkeleton } from './calendar-skeleton'
import { Notice } from './notice'
import { useSignedIn } from './signed-in'
import { TopBar } from './top-bar'
import { useMediaQuery } from './use-media-query'

const CalendarGrid = dynamic(() => import('./calendar-grid'), { ssr: false, loading: CalendarSkeleton })

/** Monday, as the existing frontend's week begins. */
const WEEK_START = 1

export function CalendarScreen() {
  const { client, user } = useSignedIn()
  const org = useOrg(client, user.id)

  return (
    <div className="screen">
      <TopBar orgName={org.status === 'ready' ? org.org.name : null} />
      <main className="calendar-page">
        {org.status === 'loading' ? <Waiting /> : null}
        {org.status === 'failed' ? <Failed problem={org.problem} retry={org.retry} /> : null}
        {org.status === 'none' ? (
          <Notice tone="neutral" title="No organisation yet">
            You are signed in, but this account belongs to no organisation. Ask its owner to add you.
          </Notice>
        ) : null}
        {org.status === 'ready' ? <OrgCalendar org={org.org} /> : null}
      </main>
    </div>
  )
}

function OrgCalendar({ org }: { org: Org }) {
  // Row security would answer an accountant with no rows, which is not the same
  // as a free week.
  if (org.role === 'accountant_readonly') {
    return (
      <Notice tone="neutral" title="The calendar is not part of your role">
        As an accountant of {org.name} you can read its money, not its bookings.
      </Notice>
    )
  }
  if (!isKnownTimeZone(org.timeZone)) {
    return (
      <Notice tone="problem" title="The calendar cannot be shown">
        This browser does not know the time zone {org.timeZone}. Update the browser, or change the zone in the settings.
      </Notice>
    )
  }
  return <Week org={org} />
}

function Week({ org }: { org: Org }) {
  const { client } = useSignedIn()
  const today = useToday(org.timeZone)
  const chosen = parseDay(useSearchParams().get('date'))
  const anchor = chosen ?? today
  const phone = useMediaQuery('(max-width: 799px)')
  const calendar = useCalendar(client, {
    orgId: org.id,
    timeZone: org.timeZone,
    view: 'week',
    anchor,
    weekStart: WEEK_START,
  })
  const ready = calendar.status === 'ready' ? calendar : null
  const offset = ready ? formatOffset(ready.range, org.timeZone) : null

  return (
    <>
      <div className="calendar-head">
        <div>
          <h1>{ready ? formatRange(ready.range, org.timeZone) : `Week of ${formatPlainDay(anchor)}`}</h1>
          <p className="quiet">
            Times in {org.timeZone}
            {offset ? ` (${offset.text})` : ''}
            {offset?.changes ? ' · the clocks change this week' : ''}
          </p>
        </div>
        <nav className="calendar-nav" aria-label="Week">
          <button type="button" className="button icon" aria-label="Previous week" onClick={() => go(step(anchor, 'week', -1))}>
            <Chevron to="left" />
          </button>
          <button type="button" className="button" onClick={() => go(null)}>
            Today
          </button>
          <button type="button" className="button icon" aria-label="Next week" onClick={() => go(step(anchor, 'week', 1))}>
            <Chevron to="right" />
          </button>
        </nav>
      </div>

      {calendar.status === 'failed' ? <Failed problem={calendar.problem} retry={calendar.retry} /> : null}
      {ready?.problem ? (
        <Notice tone="warning" action={<Retry problem={ready.problem} retry={calendar.retry} />}>
          {ready.problem.sentence} You see them as they were at {formatTime(ready.checkedAt, org.timeZone)}.
        </Notice>
      ) : null}
      {ready?.truncated ? (
        <Notice tone="warning">There are more bookings this week than can be shown here; these are the earliest.</Notice>
      ) : null}
      {ready && ready.bookings.length === 0 ? <Notice tone="neutral">Nothing booked this week.</Notice> : null}

      {calendar.status === 'loading' ? (
        <section className="calendar" data-layout={phone ? 'list' : 'grid'} aria-busy="true" aria-label="Bookings">
          <CalendarSkeleton />
        </section>
      ) : null}
      {ready && !(phone && ready.bookings.length === 0) ? (
        <section className="calendar" data-layout={phone ? 'list' : 'grid'} aria-label="Bookings">
          <CalendarGrid
            range={ready.range}
            bookings={ready.bookings}
            timeZone={org.timeZone}
            layout={phone ? 'list' : 'grid'}
          />
        </section>
      ) : null}
      {ready ? (
        <footer className="calendar-foot">
          <ul className="legend" aria-label="Colours">
            {BOOKING_STATUSES.map(([status, text]) => (
              <li key={status} data-status={status}>
                {text}
              </li>
            ))}
          </ul>
          <p className="quiet">Up to date at {formatTime(ready.checkedAt, org.timeZone)}</p>
        </footer>
      ) : null}
    </>
  )
}

/** The day lives in the address, so that back, reload and a shared link work. Null is today. */
function go(day: Day | null) {
  window.history.pushState(null, '', day ? `?date=${day}` : window.location.pathname)
}

function Failed({ problem, retry }: { problem: Problem; retry: () => void }) {
  return (
    <Notice tone="problem" action={<Retry problem={problem} retry={retry} />}>
      {problem.sentence}
    </Notice>
  )
}

function Retry({ problem, retry }: { problem: Problem; retry: () => void }) {
  const { client } = useSignedIn()
  // Leaving the refused session leads to the sign-in page.
  return problem.kind === 'signed-out' ? (
    <button type="button" className="button" onClick={() => client.auth.signOut({ scope: 'local' })}>
      Sign in again
    </button>
  ) : (
    <button type="button" className="button" onClick={retry}>
      Retry
    </button>
  )
}

function Waiting() {
  return (
    <section className="calendar" data-layout="grid" aria-busy="true" aria-label="Bookings">
      <CalendarSkeleton />
    </section>
  )
}

function Chevron({ to }: { to: 'left' | 'right' }) {
  return (
    <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
      <path
        d={to === 'left' ? 'M10 3L5 8l5 5' : 'M6 3l5 5-5 5'}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.8"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  )
}
