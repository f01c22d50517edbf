import BridgeEngine
import SocialTransport

extension ServerConfiguration {
    /// The section `bridge`: Matrix users in a social service, and back.
    struct Bridge: Hashable, Sendable {
        /// To which social services the bridge leads.
        enum Service: String, Hashable, Sendable, CaseIterable {
            case off, external, embedded, both
        }

        /// What the external service speaks.
        enum Generation: String, Hashable, Sendable, CaseIterable {
            /// Access tokens in every request: many users on one connection.
            case v1
            /// A login with a wallet's signatures: a connection for each user.
            case v2
            /// The production service: a connection for each user; it has no positions.
            case production
        }

        /// Whence the bridge knows how Matrix users are, and where it shows friends.
        enum Matrix: String, Hashable, Sendable, CaseIterable {
            /// presenced itself.
            case presenced
            /// The homeserver, whose own presence is on.
            case homeserver
        }

        /// How users get tokens for the external service who handed over none.
        enum Login: String, Hashable, Sendable, CaseIterable {
            case none
            /// The application service logs in to the homeserver in their name.
            case applicationService = "application_service"
        }

        var service = Service.off
        /// The external service.
        var url: WebSocketAddress?
        /// PEM file of authorities that are trusted there besides those of the system.
        var caFile: String?
        var generation = Generation.v1
        /// To the external service, at once.
        var connections = 20
        /// Where users share connections.
        var usersPerConnection = 500
        var matrix = Matrix.presenced
        var participation = BridgeEngine.Configuration.Participation.optIn
        /// Users who are named like an address are linked to it.
        var linksByRule = true
        /// Links of tables.
        var linksLimit = 100_000
        /// The operator's table.
        var linksFile: String?
        /// Users' tokens for the external service.
        var tokensFile: String?
        var login = Login.none
        /// What friends' whereabouts become in Matrix.
        var statusText = BridgeEngine.Configuration.TextForm.readable
        /// The localpart of a ghost is this and the address.
        var ghostPrefix = "_social_"
        /// The same for friends in our own social service.
        var embeddedGhostPrefix = "_world_"
        var ghostsLimit = 100_000
        var carriesBlocks = true

        /// By what rows of the external service are known to be of this one: `host:port/path generation`; `nil` without a
        /// URL. What stands behind a question mark may be a secret.
        var serviceIdentity: String? {
            url.map { url in
                let text = url.publicText
                let place = text.firstIndex(of: ":").map { text[$0...].dropFirst(3) } ?? Substring(text)
                return "\(place) \(generation.rawValue)"
            }
        }

        /// The homeserver's own presence must be on.
        var needsHomeserversPresence: Bool { service != .off && matrix == .homeserver }

        /// To which of the two there is a bridge.
        var services: [BridgeDestination] {
            switch service {
            case .off: []
            case .external: [.external]
            case .embedded: [.embedded]
            case .both: [.external, .embedded]
            }
        }
    }
}

extension ServerConfiguration {
    /// What the engine of the bridge to `service` goes by.
    func bridgeConfiguration(for service: BridgeDestination) -> BridgeEngine.Configuration {
        var settings = BridgeEngine.Configuration()
        // Our own service goes by localparts: whoever has one there is the user of that name.
        settings.linkRule = service == .embedded ? .localparts : bridge.linksByRule ? .addresses : .nobody
        settings.participation = bridge.participation
        settings.linksLimit = bridge.linksLimit
        settings.heartbeatEvery = social.heartbeat
        // Of another service no more is known than what it was observed to do, which is the default.
        if service == .embedded { settings.socialTimeout = social.timeout }
        settings.textForm = bridge.statusText
        let prefixes = (own: bridge.embeddedGhostPrefix, others: bridge.ghostPrefix)
        settings.ghostPrefix = service == .embedded ? prefixes.own : prefixes.others
        // Also of a bridge that there was before.
        settings.foreignGhostPrefixes = [service == .embedded ? prefixes.others : prefixes.own]
        settings.ghostsLimit = bridge.ghostsLimit
        settings.carriesBlocks = bridge.carriesBlocks
        return settings
    }
}

extension ConfigurationKey {
    static let bridge: [ConfigurationKey] = [
        ConfigurationKey("bridge.service", \.bridge.service, .choice),
        ConfigurationKey("bridge.url", \.bridge.url, .webSocket),
        ConfigurationKey("bridge.ca_file", \.bridge.caFile, .existingFile(orNull: "none")),
        ConfigurationKey("bridge.generation", \.bridge.generation, .choice),
        ConfigurationKey("bridge.connections", \.bridge.connections, .count(1...100_000)),
        ConfigurationKey("bridge.users_per_connection", \.bridge.usersPerConnection, .count(1...5_000)),
        ConfigurationKey("bridge.matrix", \.bridge.matrix, .choice),
        ConfigurationKey("bridge.participation", \.bridge.participation, .choice),
        ConfigurationKey("bridge.links_by_rule", \.bridge.linksByRule, .toggle),
        ConfigurationKey("bridge.links_file", \.bridge.linksFile, .path(orNull: "none")),
        ConfigurationKey("bridge.links", \.bridge.linksLimit, .count(1...10_000_000)),
        ConfigurationKey("bridge.tokens_file", \.bridge.tokensFile, .path(orNull: "none")),
        ConfigurationKey("bridge.login", \.bridge.login, .choice),
        ConfigurationKey("bridge.status_text", \.bridge.statusText, .choice),
        ConfigurationKey("bridge.ghost_prefix", \.bridge.ghostPrefix, .localpartPrefix),
        ConfigurationKey("bridge.embedded_ghost_prefix", \.bridge.embeddedGhostPrefix, .localpartPrefix),
        ConfigurationKey("bridge.ghosts", \.bridge.ghostsLimit, .count(0...10_000_000)),
        ConfigurationKey("bridge.carry_blocks", \.bridge.carriesBlocks, .toggle),
    ]
}

extension ConsistencyRule {
    static let bridge: [ConsistencyRule] = [
        ConsistencyRule(keys: ["bridge.ghost_prefix", "bridge.embedded_ghost_prefix"]) { configuration in
            let (others, own) = (configuration.bridge.ghostPrefix, configuration.bridge.embeddedGhostPrefix)
            guard others.hasPrefix(own) || own.hasPrefix(others) else { return nil }
            return "'\(others)' and bridge.embedded_ghost_prefix begin alike: it could not be told whose ghost is whose"
        },
        ConsistencyRule(keys: ["bridge.service", "bridge.url"]) { configuration in
            let bridge = configuration.bridge
            guard bridge.services.contains(.external), bridge.url == nil else { return nil }
            return "\(bridge.service.rawValue) needs the address of that service; set bridge.url too"
        },
        ConsistencyRule(
            keys: ["bridge.service", "homeserver.url", "homeserver.application_service.registration"]
        ) { configuration in
            guard configuration.bridge.service != .off, configuration.homeserver.url != nil,
                configuration.homeserver.applicationService.registration == nil
            else { return nil }
            return "beside a homeserver the bridge needs the application service, which has the names of friends to "
                + "itself; set homeserver.application_service.registration too"
        },
        ConsistencyRule(keys: ["bridge.matrix", "bridge.service"]) { configuration in
            guard configuration.bridge.matrix == .homeserver,
                configuration.bridge.services.contains(.embedded)
            else { return nil }
            return "homeserver goes with the external service alone: who is in our own is shown by presenced itself; "
                + "write external as bridge.service, or presenced here"
        },
        ConsistencyRule(keys: ["bridge.service", "social.enabled"]) { configuration in
            guard configuration.bridge.services.contains(.embedded), !configuration.social.enabled else { return nil }
            return "\(configuration.bridge.service.rawValue) needs our own social service; set social.enabled to true"
        },
        ConsistencyRule(keys: ["bridge.url", "client.listen", "social.path", "bridge.service"]) { configuration in
            guard let url = configuration.bridge.url, configuration.bridge.services.contains(.external) else {
                return nil
            }
            let listen = configuration.client.listen
            guard listen.port != 0, url.port == listen.port, url.host == listen.host else { return nil }
            return "'\(url.publicText)' is client.listen, presenced itself; write embedded as bridge.service"
        },
        ConsistencyRule(
            keys: ["bridge.matrix", "homeserver.application_service.registration", "bridge.service"]
        ) { configuration in
            let bridge = configuration.bridge
            guard bridge.service != .off, bridge.matrix == .homeserver,
                configuration.homeserver.applicationService.registration == nil
            else { return nil }
            return "homeserver needs its application service, which hears of presence there and shows it; set "
                + "homeserver.application_service.registration too"
        },
        ConsistencyRule(
            keys: [
                "bridge.login", "homeserver.application_service.registration", "bridge.service", "bridge.generation",
            ]
        ) { configuration in
            let bridge = configuration.bridge
            guard bridge.services.contains(.external), bridge.login == .applicationService else { return nil }
            guard bridge.generation == .v1 else {
                return "application_service gets Matrix tokens, which \(bridge.generation.rawValue) does not take; "
                    + "write none"
            }
            guard configuration.homeserver.applicationService.registration == nil else { return nil }
            return "application_service needs one; set homeserver.application_service.registration too"
        },
        ConsistencyRule(keys: ["bridge.tokens_file", "bridge.generation", "bridge.service"]) { configuration in
            let bridge = configuration.bridge
            guard bridge.services.contains(.external), bridge.tokensFile != nil, bridge.generation != .v1 else {
                return nil
            }
            return "\(bridge.generation.rawValue) takes no tokens: users hand over an identity; write null"
        },
        ConsistencyRule(
            keys: ["bridge.tokens_file", "bridge.links_file", "tokens.file", "admin.token_file", "store.file"]
        ) { configuration in
            guard let own = configuration.bridge.tokensFile else { return nil }
            let others = [
                ("bridge.links_file", configuration.bridge.linksFile), ("tokens.file", configuration.tokenFilePath),
                ("admin.token_file", configuration.adminTokenPath), ("store.file", configuration.storeFilePath),
            ]
            let other = others.first { $0.1 == own }
            return other.map { "'\(own)' is \($0.0) already; write another file" }
        },
    ]
}

extension WebSocketAddress {
    /// As it may be shown: what stands behind a question mark may be a secret.
    var publicText: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return "\(isSecure ? "wss" : "ws")://\(name):\(port)\(target.prefix { $0 != "?" })"
    }

    /// On this machine: nobody else hears what passes.
    var isLoopback: Bool {
        host == "localhost" || host == "::1" || (isNumericHost && host.hasPrefix("127."))
    }

    private var isNumericHost: Bool { host.allSatisfy { $0 == "." || $0.isNumber } }
}

extension ValueForm where Value == WebSocketAddress? {
    /// Tokens and signatures pass there, so without TLS only on this machine.
    static var webSocket: ValueForm {
        let form = ValueForm<WebSocketAddress>.scalar(
            "wss://host[:port]/path, or ws://… on this machine", write: \.publicText
        ) { (text, _) throws(ValueProblem) in
            guard let address = try? WebSocketAddress(parsing: text) else {
                throw ValueProblem(message: "is not the address of a WebSocket; write wss://rpc-social.example.org")
            }
            guard address.isSecure || address.isLoopback else {
                throw ValueProblem(
                    message: "'\(address.publicText)' would send users' tokens where others can read them; write wss://"
                )
            }
            return address
        }
        return form.orNull(meaning: "none")
    }
}

extension ValueForm where Value == String {
    /// The most bytes of a prefix: an address is to fit behind it.
    private static var prefixLimitBytes: Int { 64 }

    /// How the names of some users begin.
    static var localpartPrefix: ValueForm {
        scalar("1 to \(prefixLimitBytes) characters out of a-z, 0-9, '.', '_', '-', '/' and '+'", write: { $0 }) {
            (text, _) throws(ValueProblem) in
            let isPlain = text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
                default: "._-/+".utf8.contains(byte)
                }
            }
            guard isPlain, (1...prefixLimitBytes).contains(text.utf8.count) else {
                throw ValueProblem(message: "'\(text)' cannot begin the name of a user; write one such as _social_")
            }
            return text
        }
    }
}
