extension Schema {
    /// Friendships, their history, and what users of the social service want others to see.
    static let social = """
        -- One row for two users, the lower address first. A block is an odd count.
        CREATE TABLE friendship (
            low TEXT NOT NULL,
            high TEXT NOT NULL CHECK (low < high),
            state TEXT NOT NULL CHECK (state IN ('none', 'requested', 'friends', 'ended')),
            asker TEXT CHECK (asker IN ('low', 'high')),
            since INTEGER NOT NULL CHECK (since >= 0),
            message TEXT,
            blocks_by_low INTEGER NOT NULL CHECK (blocks_by_low >= 0),
            blocks_by_high INTEGER NOT NULL CHECK (blocks_by_high >= 0),
            actor TEXT NOT NULL CHECK (actor IN ('low', 'high')),
            acted_at INTEGER NOT NULL CHECK (acted_at >= 0),
            room TEXT,
            is_room_wanted INTEGER NOT NULL CHECK (is_room_wanted IN (0, 1)),
            revision INTEGER NOT NULL CHECK (revision >= 0),
            origin INTEGER NOT NULL,
            PRIMARY KEY (low, high),
            CHECK ((asker IS NOT NULL) = (state = 'requested'))
        ) STRICT, WITHOUT ROWID;

        -- Only added to.
        CREATE TABLE friendship_event (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            low TEXT NOT NULL,
            high TEXT NOT NULL,
            actor TEXT NOT NULL CHECK (actor IN ('low', 'high')),
            action TEXT NOT NULL
                CHECK (action IN ('request', 'accept', 'reject', 'cancel', 'delete', 'block', 'unblock')),
            message TEXT,
            at INTEGER NOT NULL CHECK (at >= 0),
            revision INTEGER NOT NULL
        ) STRICT;

        CREATE INDEX friendship_event_by_pair ON friendship_event (low, high);

        CREATE TABLE social_settings (
            user TEXT PRIMARY KEY,
            privacy TEXT NOT NULL CHECK (privacy IN ('full', 'state_only', 'hidden')),
            privacy_revision INTEGER NOT NULL CHECK (privacy_revision >= 0),
            is_concealed INTEGER NOT NULL CHECK (is_concealed IN (0, 1)),
            concealment_revision INTEGER NOT NULL CHECK (concealment_revision >= 0)
        ) STRICT, WITHOUT ROWID;
        """
}
