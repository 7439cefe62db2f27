import type { CalendarBooking } from '@/lib/use-calendar'
import { formatDay, formatTimes } from '@/lib/time'

const STATUS = { confirmed: 'Confirmed', completed: 'Completed', no_show: 'No-show', pending: 'Pending' } as const

type Reply = 'confirmed' | 'asked' | 'none'
const REPLY: Record<Reply, string> = {
  confirmed: 'Client confirmed',
  asked: 'Awaiting reply',
  none: 'Client not asked',
}

export const BOOKING_STATUSES = Object.entries(STATUS) as [keyof typeof STATUS, string][]

function replyOf(booking: CalendarBooking): Reply {
  if (booking.clientConfirmed) return 'confirmed'
  return booking.confirmationSentAt ? 'asked' : 'none'
}

/** Whether the client confirmed matters until the session is over; after that, only a yes is worth saying. */
function tellsReply(booking: CalendarBooking): boolean {
  return booking.clientConfirmed || booking.status === 'confirmed' || booking.status === 'pending'
}

/** `pt_session` → `PT session`; the org's own names come with its session types. */
function sessionName(slug: string): string {
  const words = slug.replace(/[_-]+/g, ' ').trim().replace(/\bpt\b/i, 'PT')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** Everything about a booking in one line, for a tooltip and for those who hear the page. */
export function bookingLabel(booking: CalendarBooking, timeZone: string): string {
  return [
    booking.clientName ?? 'Client hidden',
    formatDay(booking.start, timeZone),
    formatTimes(booking.start, booking.end, timeZone),
    sessionName(booking.sessionType),
    STATUS[booking.status],
    tellsReply(booking) ? REPLY[replyOf(booking)] : '',
  ]
    .filter(Boolean)
    .join(', ')
}

interface BookingCardProps {
  booking: CalendarBooking
  timeZone: string
  layout: 'grid' | 'list'
}

export function BookingCard({ booking, timeZone, layout }: BookingCardProps) {
  const reply = replyOf(booking)
  // A block of the grid has room for one of the two: the reply while a confirmed
  // session is ahead, else the status. The tooltip and the list have both.
  const brief = layout === 'grid'
  const showsReply = brief ? booking.status === 'confirmed' : tellsReply(booking)

  return (
    <article
      className="booking"
      data-layout={layout}
      data-status={booking.status}
      data-booking={booking.id}
      title={bookingLabel(booking, timeZone)}
    >
      <p className="booking-time">{formatTimes(booking.start, booking.end, timeZone)}</p>
      <p className="booking-client">{booking.clientName ?? 'Client hidden'}</p>
      <p className="booking-session">{sessionName(booking.sessionType)}</p>
      <p className="booking-state">
        <span className={brief && showsReply ? 'unseen' : 'booking-status'}>{STATUS[booking.status]}</span>
        {showsReply ? (
          <span className="booking-reply" data-reply={reply}>
            <ReplyIcon reply={reply} />
            <span>{REPLY[reply]}</span>
          </span>
        ) : null}
      </p>
    </article>
  )
}

function ReplyIcon({ reply }: { reply: Reply }) {
  const path = {
    confirmed: 'M3.5 8.4l3 3 6-6.6',
    asked: 'M8 4.6V8l2.3 1.6M8 2.2a5.8 5.8 0 100 11.6A5.8 5.8 0 008 2.2z',
    none: 'M4.5 8h7',
  }[reply]
  return (
    <svg width="12" height="12" viewBox="0 0 16 16" aria-hidden="true">
      <path d={path} fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  )
}
