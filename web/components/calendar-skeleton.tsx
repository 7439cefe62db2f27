/** The shape of a week that is still on its way. */
export function CalendarSkeleton() {
  return (
    <div className="skeleton-grid" role="status">
      <span className="unseen">Loading the bookings…</span>
      {Array.from({ length: 7 }, (_, day) => (
        <div key={day} className="skeleton-day" aria-hidden="true">
          <i className="skeleton" />
          {Array.from({ length: 1 + ((day * 2) % 3) }, (_, block) => (
            <i key={block} className="skeleton" />
          ))}
        </div>
      ))}
    </div>
  )
}
