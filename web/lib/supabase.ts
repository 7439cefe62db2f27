import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import type { Database } from './database'

export type Supabase = SupabaseClient<Database>

/**
 * The browser's client: the publishable key and the signed-in coach's token,
 * nothing more. Row security decides what they see. supabase-js keeps the
 * session in the browser and refreshes it.
 */
export function createSupabase(url: string, publishableKey: string): Supabase {
  return createClient<Database>(url, publishableKey)
}
