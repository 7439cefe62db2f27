import type { Metadata } from 'next'
import { Suspense } from 'react'
import { CalendarScreen } from '@/components/calendar-screen'
import { SignedIn } from '@/components/signed-in'

export const metadata: Metadata = { title: 'Calendar' }

export default function CalendarPage() {
  return (
    <SignedIn>
      <Suspense>
        <CalendarScreen />
      </Suspense>
    </SignedIn>
  )
}
