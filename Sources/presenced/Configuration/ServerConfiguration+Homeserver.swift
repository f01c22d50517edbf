import HomeserverLink
import MatrixFederation

extension ServerConfiguration {
    /// The section `homeserver`: the homeserver that presenced stands in front of.
    struct Homeserver: Hashable, Sendable {
        /// `nil`: there is none.
        var url: HomeserverOrigin?
        /// PEM file of authorities that are trusted besides those of the system.
        var caFile: String?
        /// For an answer to begin and to go on; the wait of a long-poll comes on top.
        var timeout = Duration.seconds(60)
        /// The most requests at once, of long-polls and of others each.
        var connections = 16_384
        /// Whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
        var trustedProxies = [AddressRange(parsing: "127.0.0.0/8"), AddressRange(parsing: "::1/128")].compactMap(\.self)
        var whoami = Whoami()
        var sync = Sync()
        var applicationService = ApplicationService()
    }

    /// The section `homeserver.whoami`: whose an access token is, by the homeserver's word.
    struct Whoami: Hashable, Sendable {
        /// How long an answer is believed; at most five minutes.
        var cache = Duration.minutes(5)
        /// The most answers kept.
        var limit = 100_000
        /// How long an answer may take.
        var timeout = Duration.seconds(10)
    }

    /// The section `homeserver.sync`: presence in the answers to clients' syncs.
    struct Sync: Hashable, Sendable {
        /// The most devices of which it is remembered how far they were told.
        var cursors = 100_000
        /// Long-polls end early when there is presence for them.
        var earlyWake = false
    }
}
