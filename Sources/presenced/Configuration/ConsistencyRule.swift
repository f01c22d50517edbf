/// A rule that binds several keys together; checked only when each of them could be read.
struct ConsistencyRule: Sendable {
    /// The keys it looks at; the first is the one that a finding names.
    let keys: [String]
    /// What is wrong, or `nil`.
    let finding: @Sendable (ServerConfiguration) -> String?

    static let all: [ConsistencyRule] = general + applicationService + bridge

    private static let general: [ConsistencyRule] = [
        ConsistencyRule(keys: ["federation.tls.certificate", "federation.tls.key"]) { configuration in
            let tls = configuration.federation.tls
            guard (tls.certificate == nil) != (tls.key == nil) else { return nil }
            let missing = tls.key == nil ? "federation.tls.key" : "federation.tls.certificate"
            return "TLS needs a certificate and its key; set \(missing) too, or neither"
        },
        ConsistencyRule(keys: ["federation.batch.stretch", "federation.batch.window"]) { configuration in
            let batch = configuration.federation.batch
            return tooShort(batch.stretch, than: batch.window, of: "federation.batch.window")
        },
        ConsistencyRule(keys: ["federation.retry.limit", "federation.retry.first"]) { configuration in
            let retry = configuration.federation.retry
            return tooShort(retry.limit, than: retry.first, of: "federation.retry.first")
        },
        ConsistencyRule(keys: ["federation.watchdog.long", "federation.watchdog.short"]) { configuration in
            let watchdog = configuration.federation.watchdog
            return tooShort(watchdog.long, than: watchdog.short, of: "federation.watchdog.short")
        },
        ConsistencyRule(keys: ["social.timeout", "social.heartbeat"]) { configuration in
            let social = configuration.social
            return tooShort(social.timeout, than: social.heartbeat, of: "social.heartbeat")
        },
        ConsistencyRule(
            keys: ["social.requests_to_user", "social.requests_from_user", "social.message_limit"]
        ) { configuration in
            let social = configuration.social
            let bytes = (social.requestsToUser + social.requestsFromUser) * (social.messageLimitBytes + 300)
            guard bytes > 1_000_000 else { return nil }
            return "a user's open requests could be \(bytes) bytes with their messages; an answer holds 1000000: lower "
                + "social.requests_to_user, social.requests_from_user or social.message_limit"
        },
        ConsistencyRule(keys: ["federation.listen", "client.listen", "federation.enabled"]) { configuration in
            let (federation, client) = (configuration.federation, configuration.client)
            guard federation.enabled, federation.listen == client.listen, client.listen.port != 0 else { return nil }
            return "'\(federation.listen)' is client.listen already; write another port"
        },
        ConsistencyRule(keys: ["homeserver.url", "client.listen", "federation.listen"]) { configuration in
            guard let url = configuration.homeserver.url else { return nil }
            let own = [
                ("client.listen", configuration.client.listen), ("federation.listen", configuration.federation.listen),
            ]
            let same = own.first { $0.1.port != 0 && url.text.hasSuffix("://\($0.1)") }
            return same.map { "'\(url.text)' is \($0.0), presenced itself; write where the homeserver listens" }
        },
        ConsistencyRule(
            keys: ["admin.listen", "client.listen", "federation.listen", "admin.enabled", "federation.enabled"]
        ) { configuration in
            let admin = configuration.admin
            guard admin.enabled, admin.listen.port != 0 else { return nil }
            if admin.listen == configuration.client.listen {
                return "'\(admin.listen)' is client.listen already; write another port"
            }
            guard configuration.federation.enabled, admin.listen == configuration.federation.listen else { return nil }
            return "'\(admin.listen)' is federation.listen already; write another port"
        },
        ConsistencyRule(keys: ["admin.token_file", "tokens.file", "store.file", "data_directory"]) { configuration in
            let others = [
                ("tokens.file", configuration.tokenFilePath), ("store.file", configuration.storeFilePath),
            ]
            let other = others.first { $0.1 == configuration.adminTokenPath }
            return other.map { "'\(configuration.adminTokenPath)' is \($0.0) already; write another file" }
        },
        ConsistencyRule(keys: ["lists.consents_per_user", "lists.requests_per_user"]) { configuration in
            let lists = configuration.lists
            guard lists.consentsPerUser < lists.requestsPerUser else { return nil }
            return
                "\(lists.consentsPerUser) is below lists.requests_per_user (\(lists.requestsPerUser)), which it holds"
        },
    ]

    private static func tooShort(_ duration: Duration, than other: Duration, of key: String) -> String? {
        guard duration < other else { return nil }
        return "\(DurationText.write(duration)) is shorter than \(key) (\(DurationText.write(other)))"
    }
}
