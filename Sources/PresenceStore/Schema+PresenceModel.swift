extension Schema {
    /// Lists, consents, rooms, device types and overrides take the place of watch lists.
    ///
    /// To watch someone was to let them see oneself, and to see them where both did: that is what becomes of it. Nobody
    /// is asked anew by the migration itself. Rows that a foreign hand left in a state that no check would pass stay as
    /// they are, which is why the checks are off meanwhile.
    static let second = """
        ALTER TABLE local_status ADD COLUMN override_state TEXT
            CHECK (override_state IN ('free_for_chat', 'online', 'busy', 'unavailable', 'offline', 'hidden'));
        ALTER TABLE local_status ADD COLUMN override_replaces_text INTEGER NOT NULL DEFAULT 0
            CHECK (override_replaces_text = 0 OR (override_replaces_text = 1 AND override_state IS NOT NULL));
        ALTER TABLE local_status ADD COLUMN override_text TEXT
            CHECK (override_text IS NULL OR override_replaces_text = 1);
        ALTER TABLE local_status ADD COLUMN override_until INTEGER
            CHECK (override_until IS NULL OR (override_until >= 0 AND override_state IS NOT NULL));
        ALTER TABLE local_status ADD COLUMN is_idle INTEGER NOT NULL DEFAULT 0 CHECK (is_idle IN (0, 1));
        ALTER TABLE local_status ADD COLUMN shown_text TEXT;
        ALTER TABLE local_status ADD COLUMN shown_last_active INTEGER CHECK (shown_last_active >= 0);

        UPDATE local_status SET
            shown_text = CASE chosen WHEN 'hidden' THEN NULL ELSE status_text END, shown_last_active = last_active;

        ALTER TABLE remote_presence ADD COLUMN device_type TEXT;

        CREATE TABLE device_type (
            user TEXT NOT NULL,
            device TEXT NOT NULL,
            type TEXT NOT NULL,
            PRIMARY KEY (user, device)
        ) STRICT, WITHOUT ROWID;

        -- groups: a bit for each list_group.slot of the observer; slot 63 is the sign.
        CREATE TABLE list_entry (
            observer TEXT NOT NULL,
            observed TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('pending', 'accepted', 'denied')),
            request INTEGER NOT NULL,
            since INTEGER NOT NULL CHECK (since >= 0),
            note TEXT,
            acl TEXT,
            groups INTEGER NOT NULL,
            PRIMARY KEY (observer, observed)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE consent (
            observed TEXT NOT NULL,
            observer TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('requested', 'granted', 'blocked')),
            request INTEGER,
            since INTEGER NOT NULL CHECK (since >= 0),
            note TEXT,
            PRIMARY KEY (observed, observer)
        ) STRICT, WITHOUT ROWID;

        -- Who may open a chat, by the user's state: 'anyone', 'list', 'nobody', or 'group:' and the name of one.
        CREATE TABLE list_settings (
            user TEXT PRIMARY KEY,
            policy TEXT CHECK (policy IN ('ask', 'accept_shared_room', 'accept_all', 'deny_all')),
            contact_free_for_chat TEXT NOT NULL CHECK (contact_free_for_chat IN ('anyone', 'list', 'nobody')
                OR contact_free_for_chat GLOB 'group:?*'),
            contact_online TEXT NOT NULL CHECK (contact_online IN ('anyone', 'list', 'nobody')
                OR contact_online GLOB 'group:?*'),
            contact_busy TEXT NOT NULL CHECK (contact_busy IN ('anyone', 'list', 'nobody')
                OR contact_busy GLOB 'group:?*'),
            contact_unavailable TEXT NOT NULL CHECK (contact_unavailable IN ('anyone', 'list', 'nobody')
                OR contact_unavailable GLOB 'group:?*'),
            contact_offline TEXT NOT NULL CHECK (contact_offline IN ('anyone', 'list', 'nobody')
                OR contact_offline GLOB 'group:?*')
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE list_group (
            owner TEXT NOT NULL,
            name TEXT NOT NULL,
            slot INTEGER NOT NULL CHECK (slot BETWEEN 0 AND 63),
            PRIMARY KEY (owner, name)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE room_member (
            room TEXT NOT NULL,
            user TEXT NOT NULL,
            PRIMARY KEY (room, user)
        ) STRICT, WITHOUT ROWID;

        -- What other servers are still to be told: of one pair at most one invite and one answer.
        CREATE TABLE permission (
            is_invite INTEGER NOT NULL CHECK (is_invite = (kind = 'invite')),
            observed TEXT NOT NULL,
            observer TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('invite', 'accept', 'deny')),
            request INTEGER,
            note TEXT,
            PRIMARY KEY (is_invite, observed, observer)
        ) STRICT, WITHOUT ROWID;

        DELETE FROM watch_entry
            WHERE typeof(observer) <> 'text' OR typeof(observed) <> 'text' OR observer = observed;

        INSERT OR IGNORE INTO consent (observed, observer, state, request, since, note)
            SELECT observer, observed, 'granted', NULL, 0, NULL FROM watch_entry ORDER BY observer, observed;

        INSERT OR IGNORE INTO list_entry (observer, observed, state, request, since, note, acl, groups)
            SELECT observer, observed,
                CASE WHEN EXISTS (
                    SELECT * FROM watch_entry AS back
                        WHERE back.observer = watch_entry.observed AND back.observed = watch_entry.observer
                ) THEN 'accepted' ELSE 'pending' END,
                1, 0, NULL, NULL, 0
            FROM watch_entry ORDER BY observer, observed;

        DROP TABLE watch_entry;
        """
}
