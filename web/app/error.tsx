'use client'

import { Notice } from '@/components/notice'

export default function ErrorPage({ reset }: { reset: () => void }) {
  return (
    <main className="lone">
      <Notice
        tone="problem"
        title="This page could not be shown"
        action={
          <button type="button" className="button" onClick={reset}>
            Try again
          </button>
        }
      >
        Something went wrong while drawing it. Your data is not affected.
      </Notice>
    </main>
  )
}
