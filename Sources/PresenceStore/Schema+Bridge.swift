extension Schema {
    /// What the bridge keeps of each service, and what users handed over for it.
    static let bridge = """
        -- Which external service it was of whom rows speak.
        CREATE TABLE bridge_service (
            service TEXT PRIMARY KEY,
            identity TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- By whom, in the order of what they count for, with commas: file, operator, proof.
        CREATE TABLE bridge_link (
            service TEXT NOT NULL,
            user TEXT NOT NULL,
            address TEXT NOT NULL,
            sources TEXT NOT NULL,
            PRIMARY KEY (service, user)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE bridge_person (
            service TEXT NOT NULL,
            user TEXT NOT NULL,
            is_known INTEGER NOT NULL CHECK (is_known IN (0, 1)),
            participates INTEGER CHECK (participates IN (0, 1)),
            privacy TEXT NOT NULL CHECK (privacy IN ('full', 'state_only', 'hidden')),
            PRIMARY KEY (service, user)
        ) STRICT, WITHOUT ROWID;

        -- Whereabouts, of sent one a line: `x,y realm`, either part `-` if it is not there; the realm percent-encoded.
        CREATE TABLE bridge_beats (
            service TEXT NOT NULL,
            address TEXT NOT NULL,
            is_beating INTEGER NOT NULL CHECK (is_beating IN (0, 1)),
            last_beat INTEGER NOT NULL CHECK (last_beat >= 0),
            sent TEXT NOT NULL,
            reported TEXT,
            PRIMARY KEY (service, address)
        ) STRICT, WITHOUT ROWID;

        -- Showings: a state that is published, offline, or unknown. Those before stand in the columns that say so.
        CREATE TABLE bridge_shown (
            service TEXT NOT NULL,
            address TEXT NOT NULL,
            user TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('visible', 'offline', 'unknown')),
            state TEXT,
            status_text TEXT,
            before_kind TEXT CHECK (before_kind IN ('visible', 'offline', 'unknown')),
            before_state TEXT,
            before_status_text TEXT,
            PRIMARY KEY (service, address)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE bridge_ghost (
            service TEXT NOT NULL,
            address TEXT NOT NULL,
            PRIMARY KEY (service, address)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE bridge_pair (
            service TEXT NOT NULL,
            low TEXT NOT NULL,
            high TEXT NOT NULL CHECK (low < high),
            low_user TEXT NOT NULL,
            high_user TEXT NOT NULL,
            aim TEXT NOT NULL,
            matrix TEXT NOT NULL,
            social TEXT NOT NULL,
            PRIMARY KEY (service, low, high)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE bridge_credential (
            user TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('token', 'identity')),
            secret TEXT NOT NULL,
            address TEXT NOT NULL,
            expires INTEGER CHECK (expires >= 0),
            PRIMARY KEY (user, kind)
        ) STRICT, WITHOUT ROWID;
        """
}
