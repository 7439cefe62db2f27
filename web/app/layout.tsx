import type { Metadata, Viewport } from 'next'
import { connection } from 'next/server'
import type { ReactNode } from 'react'
import { Notice } from '@/components/notice'
import { SupabaseProvider } from '@/components/supabase-provider'
import { readPublicConfig } from '@/lib/server/config'
import './globals.css'

export const metadata: Metadata = {
  title: { default: 'Coach OS', template: '%s · Coach OS' },
  description: 'Bookings, packages, payments and texts of a coach, in one place.',
  robots: { index: false, follow: false },
}

export const viewport: Viewport = {
  colorScheme: 'light dark',
  themeColor: [
    { media: '(prefers-color-scheme: light)', color: '#f6f7f5' },
    { media: '(prefers-color-scheme: dark)', color: '#0e1311' },
  ],
}

export default async function RootLayout({ children }: { children: ReactNode }) {
  // Every page waits for a request, so that the settings below are those of the
  // running server and not of the machine that built it.
  await connection()
  const result = readPublicConfig()

  return (
    <html lang="en">
      <body>
        {result.ok ? (
          <SupabaseProvider config={result.config}>{children}</SupabaseProvider>
        ) : (
          <main className="lone">
            <Notice tone="problem" title="Coach OS is not set up yet">
              {result.sentence}
            </Notice>
          </main>
        )}
      </body>
    </html>
  )
}
