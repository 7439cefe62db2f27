/**
 * The part of the database that these screens read, written by hand for now.
 * A later issue replaces this file with the output of `supabase gen types
 * typescript`, which has the same shape; nothing else has to change then.
 */

type Timestamp = string
type OrgRole = 'owner' | 'staff' | 'accountant_readonly'
type BookingStatus = 'pending' | 'confirmed' | 'cancelled' | 'completed' | 'no_show'

interface Table<Row extends Record<string, unknown>, Relationships extends ForeignKey[] = []> {
  Row: Row
  // Read only so far: the screens that write come with the generated types.
  Insert: never
  Update: never
  Relationships: Relationships
}

interface ForeignKey {
  foreignKeyName: string
  columns: string[]
  isOneToOne: boolean
  referencedRelation: string
  referencedColumns: string[]
}

interface To<Name extends string, Column extends string, Relation extends string> extends ForeignKey {
  foreignKeyName: Name
  columns: [Column]
  isOneToOne: false
  referencedRelation: Relation
  referencedColumns: ['id']
}

export type Database = {
  public: {
    Tables: {
      orgs: Table<{ id: string; name: string; slug: string; timezone: string; created_at: Timestamp }>
      org_members: Table<
        { id: string; org_id: string; user_id: string; role: OrgRole; created_at: Timestamp },
        [To<'org_members_org_id_fkey', 'org_id', 'orgs'>]
      >
      clients: Table<
        { id: string; org_id: string; full_name: string; created_at: Timestamp },
        [To<'clients_org_id_fkey', 'org_id', 'orgs'>]
      >
      bookings: Table<
        {
          id: string
          org_id: string
          client_id: string
          start_time: Timestamp
          end_time: Timestamp
          status: BookingStatus
          session_type: string
          client_confirmed: boolean | null
          confirmation_sent_at: Timestamp | null
        },
        [To<'bookings_client_id_fkey', 'client_id', 'clients'>, To<'bookings_org_id_fkey', 'org_id', 'orgs'>]
      >
    }
    Views: Record<never, never>
    Functions: {
      calendar_range: {
        Args: { p_view: string; p_anchor: string; p_timezone: string; p_week_start?: number }
        Returns: { range_start: Timestamp; range_end: Timestamp }[]
      }
    }
    Enums: { org_role: OrgRole; booking_status: BookingStatus }
    CompositeTypes: Record<never, never>
  }
}
