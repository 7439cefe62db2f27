'use client'

import FullCalendar from '@fullcalendar/react'
import listPlugin from '@fullcalendar/react/list'
import classicTheme from '@fullcalendar/react/themes/classic'
import timeGridPlugin from '@fullcalendar/react/timegrid'
import { useMemo } from 'react'
import type { CalendarBooking } from '@/lib/use-calendar'
import { dayOf, type TimeRange } from '@/lib/time'
import { BookingCard } from './booking'
import '@fullcalendar/react/skeleton.css'
import '@fullcalendar/react/themes/classic/theme.css'

/**
 * The one file that knows the calendar library (FullCalendar 7): given a range,
 * bookings and the org's zone, it draws them. Day and week are time grids of the
 * range's length; a phone gets the same bookings as a list.
 */
export interface CalendarGridProps {
  range: TimeRange
  bookings: CalendarBooking[]
  timeZone: string
  layout: 'grid' | 'list'
}

const plugins = [timeGridPlugin, listPlugin, classicTheme]
const clock = { hour: '2-digit', minute: '2-digit', hour12: false } as const

export default function CalendarGrid({ range, bookings, timeZone, layout }: CalendarGridProps) {
  const days = { start: dayOf(range.start, timeZone), end: dayOf(range.end, timeZone) }
  const events = useMemo(
    () =>
      bookings.map((booking) => ({
        id: booking.id,
        start: booking.start.toString(),
        end: booking.end.toString(),
        title: booking.clientName ?? '',
        extendedProps: { booking },
      })),
    [bookings],
  )

  return (
    <FullCalendar
      // A new range is a new calendar: nothing of the old one can be left on it.
      key={`${layout} ${timeZone} ${days.start} ${days.end}`}
      plugins={plugins}
      initialView={layout === 'grid' ? 'timeGrid' : 'list'}
      // The days the database named, so that grid and bookings cannot differ.
      visibleRange={days}
      initialDate={days.start}
      timeZone={timeZone}
      locale="en-gb"
      headerToolbar={false}
      allDaySlot={false}
      nowIndicator
      height={layout === 'grid' ? '100%' : 'auto'}
      scrollTime="06:00:00"
      slotDuration="00:30:00"
      slotMinHeight={28}
      slotHeaderFormat={clock}
      slotHeaderInnerClass="slot-hour"
      dayHeaderFormat={{ weekday: 'short', day: 'numeric' }}
      listDayFormat={{ weekday: 'long', day: 'numeric', month: 'long' }}
      // The second text of a list's day repeats the first.
      listDayHeaderContent={({ level, text }) => (level === 0 ? text : null)}
      eventMinHeight={26}
      slotEventOverlap={false}
      borderless
      viewDidMount={({ el }) => openToKeyboard(el)}
      eventClass="calendar-event"
      events={events}
      eventContent={({ event }) => (
        <BookingCard booking={event.extendedProps.booking as CalendarBooking} timeZone={timeZone} layout={layout} />
      )}
    />
  )
}

/**
 * The day scrolls inside the grid; without this only a mouse or a finger could
 * move it. The library's roles step over its scrolling part, which they may not
 * once it can have the focus: it takes its parent's place among them.
 */
function openToKeyboard(view: HTMLElement) {
  for (const part of view.querySelectorAll<HTMLElement>('[role="rowgroup"] > *')) {
    if (!/auto|scroll/.test(part.style.overflowY)) continue
    part.tabIndex = 0
    part.setAttribute('role', 'rowgroup')
    part.parentElement?.setAttribute('role', 'presentation')
  }
}
