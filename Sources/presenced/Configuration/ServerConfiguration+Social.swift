import SocialService

extension ServerConfiguration {
    /// The section `social`: friends, and where they are.
    struct Social: Hashable, Sendable {
        /// Whether friendships get a room in Matrix.
        enum Rooms: String, Hashable, Sendable, CaseIterable {
            /// By the application service, where there is one.
            case make
            case skip
        }

        /// The section `social.redis`: several processes that serve one population.
        struct Redis: Hashable, Sendable {
            /// `nil`: this process has the population to itself.
            var url: RedisURL?
        }

        var enabled = false
        /// On the listener for clients.
        var path = "/social"
        /// How often the bridge says that a user is there.
        var heartbeat = Duration.seconds(30)
        /// A user without a heartbeat for so long is offline.
        var timeout = Duration.minutes(2)
        /// A connection that ended holds its users so long.
        var leaveGrace = Duration.seconds(10)
        var rooms = Rooms.make
        /// Answers to logins get `social_user_id`.
        var nameAtLogin = false
        /// At once.
        var connections = 20_000
        /// Subscriptions, and lists under way, of one connection.
        var streamsPerConnection = 64
        /// Of one user on one connection.
        var rateLimit = RateLimit(perSecond: 20, burst: 100)
        var friendsPerUser = 1000
        var requestsFromUser = 100
        var requestsToUser = 200
        var requestsPerHour = 30
        var requestsPerHourOfPair = 6
        /// Of a request, in bytes.
        var messageLimitBytes = 2048
        var blocksPerUser = 1000
        /// Pairs that nothing was ever between, of all users together.
        var newcomersPerMinute = 1000
        /// Whether wallets may log in, or Matrix users alone are let in.
        var walletLogin = true
        var redis = Redis()
    }
}

extension ConfigurationKey {
    static let social: [ConfigurationKey] = [
        ConfigurationKey("social.enabled", \.social.enabled, .toggle),
        ConfigurationKey("social.path", \.social.path, .pathOfRequests),
        ConfigurationKey("social.heartbeat", \.social.heartbeat, .duration(.seconds(1), .minutes(10))),
        ConfigurationKey("social.timeout", \.social.timeout, .duration(.seconds(2), .hours(1))),
        ConfigurationKey("social.leave_grace", \.social.leaveGrace, .duration(.zero, .hours(1))),
        ConfigurationKey("social.rooms", \.social.rooms, .choice),
        ConfigurationKey("social.name_at_login", \.social.nameAtLogin, .toggle),
        ConfigurationKey("social.connections", \.social.connections, .count(1...1_000_000)),
        ConfigurationKey("social.streams_per_connection", \.social.streamsPerConnection, .count(1...100_000)),
        ConfigurationKey("social.rate_limit.per_second", \.social.rateLimit.perSecond, .number(0...10_000)),
        ConfigurationKey("social.rate_limit.burst", \.social.rateLimit.burst, .count(1...10_000)),
        ConfigurationKey("social.friends_per_user", \.social.friendsPerUser, .count(1...100_000)),
        ConfigurationKey("social.requests_from_user", \.social.requestsFromUser, .count(1...100_000)),
        ConfigurationKey("social.requests_to_user", \.social.requestsToUser, .count(1...100_000)),
        ConfigurationKey("social.requests_per_hour", \.social.requestsPerHour, .count(1...100_000)),
        ConfigurationKey(
            "social.requests_per_hour_of_pair", \.social.requestsPerHourOfPair, .count(1...100_000)),
        ConfigurationKey("social.message_limit", \.social.messageLimitBytes, .size(1...(64 << 10))),
        ConfigurationKey("social.blocks_per_user", \.social.blocksPerUser, .count(1...100_000)),
        ConfigurationKey("social.newcomers_per_minute", \.social.newcomersPerMinute, .count(1...100_000_000)),
        ConfigurationKey("social.wallet_login", \.social.walletLogin, .toggle),
        ConfigurationKey("social.redis.url", \.social.redis.url, .redis),
    ]
}
