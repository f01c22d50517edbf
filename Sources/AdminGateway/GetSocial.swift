import MatrixHTTP
import MatrixWire
import PresenceModel

/// How the social service stands.
public struct SocialReport: Hashable, Sendable {
    /// The connection to Redis.
    public struct Redis: Hashable, Sendable {
        /// Other processes hear of this one's users, and the other way round.
        public var isConnected: Bool
        /// When that began.
        public var since: Instant
        /// What went wrong last.
        public var latestFailure: String?

        /// A status as given.
        public init(isConnected: Bool, since: Instant, latestFailure: String?) {
            self.isConnected = isConnected
            self.since = since
            self.latestFailure = latestFailure
        }
    }

    /// WebSockets that stand.
    public var connections = 0
    /// WebSockets for which there was no room, since the start.
    public var connectionsRefused = 0
    /// Streams on them.
    public var streams = 0
    /// Calls since the start.
    public var callsStarted = 0
    /// Users of whom anything is known.
    public var users = 0
    /// Users who are in the social service now.
    public var usersThere = 0
    /// Pairs between whom anything ever was.
    public var pairs = 0
    /// Subscriptions to presence and to friendships.
    public var subscriptions = 0
    /// Changes that are not on disk yet.
    public var changesNotStored = 0
    /// `nil`: there is none.
    public var redis: Redis?

    /// Nothing at all.
    public init() {}
}

extension AdminGateway {
    /// `GET /_presenced/admin/v1/social` → 200 `{"connections","connections_refused","streams","calls_started","users","users_there","pairs",
    /// "subscriptions","changes_not_stored","redis"?:{"connected","since_ms","latest_failure"?}}`; 404 where the social
    /// service is off.
    func getSocial(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        guard let report = await social?() else {
            throw MatrixErrorBody(.notFound, "The social service is off (social.enabled).")
        }
        var writer = JSONWriter()
        writer.beginObject()
        for (key, count) in [
            ("connections", report.connections), ("connections_refused", report.connectionsRefused),
            ("streams", report.streams),
            ("calls_started", report.callsStarted), ("users", report.users), ("users_there", report.usersThere),
            ("pairs", report.pairs), ("subscriptions", report.subscriptions),
            ("changes_not_stored", report.changesNotStored),
        ] {
            writer.key(escaping: key)
            writer.integer(Int64(count))
        }
        if let redis = report.redis {
            writer.key("redis")
            writer.beginObject()
            writer.key("connected")
            writer.bool(redis.isConnected)
            writer.key("since_ms")
            writer.integer(redis.since.millisecondsSinceEpoch)
            if let failure = redis.latestFailure {
                writer.key("latest_failure")
                writer.string(failure)
            }
            writer.endObject()
        }
        writer.endObject()
        return .json(writer.bytes)
    }
}
