import PresenceModel

extension ConfigurationKey {
    /// Every key, in the order of `Config/presenced.yaml`.
    static let all: [ConfigurationKey] =
        top + homeserver + applicationService + client + tokens + admin + federation + federationAccess
        + federationTimes + presence + lists + social + bridge + store + log

    private static let top: [ConfigurationKey] = [
        ConfigurationKey("server_name", \.serverName, .serverName, isRequired: true),
        ConfigurationKey("data_directory", \.dataDirectory, .path),
    ]

    private static let homeserver: [ConfigurationKey] = [
        ConfigurationKey("homeserver.url", \.homeserver.url, .homeserver),
        ConfigurationKey("homeserver.ca_file", \.homeserver.caFile, .existingFile(orNull: "none")),
        ConfigurationKey("homeserver.timeout", \.homeserver.timeout, .duration(.seconds(1), .hours(1))),
        ConfigurationKey("homeserver.connections", \.homeserver.connections, .count(16...100_000)),
        ConfigurationKey("homeserver.trusted_proxies", \.homeserver.trustedProxies, .addressRanges),
        ConfigurationKey("homeserver.whoami.cache", \.homeserver.whoami.cache, .duration(.zero, .minutes(5))),
        ConfigurationKey("homeserver.whoami.limit", \.homeserver.whoami.limit, .count(0...10_000_000)),
        ConfigurationKey(
            "homeserver.whoami.timeout", \.homeserver.whoami.timeout, .duration(.seconds(1), .minutes(5))),
        ConfigurationKey("homeserver.sync.cursors", \.homeserver.sync.cursors, .count(0...10_000_000)),
        ConfigurationKey("homeserver.sync.early_wake", \.homeserver.sync.earlyWake, .toggle),
    ]

    private static let client: [ConfigurationKey] = [
        ConfigurationKey("client.listen", \.client.listen, .address),
        ConfigurationKey("client.cors", \.client.cors, .toggle),
        ConfigurationKey("client.body_limit", \.client.bodyLimitBytes, .size(1024...(16 << 20))),
        ConfigurationKey("client.accept_busy", \.client.acceptBusy, .toggle),
        ConfigurationKey("client.busy_as", \.client.busyAs, .choice),
        ConfigurationKey("client.unknown_as", \.client.unknownAs, .choice),
        ConfigurationKey("client.stream_keepalive", \.client.streamKeepalive, .duration(.seconds(1), .minutes(5))),
        ConfigurationKey("client.long_poll_limit", \.client.longPollLimit, .duration(.seconds(1), .minutes(10))),
        ConfigurationKey("client.rate_limit.per_second", \.client.rateLimit.perSecond, .number(0...10_000)),
        ConfigurationKey("client.rate_limit.burst", \.client.rateLimit.burst, .count(1...10_000)),
    ]

    private static let tokens: [ConfigurationKey] = [
        ConfigurationKey("tokens.file", \.tokens.file, .path(relativeTo: "data_directory"))
    ]

    private static let admin: [ConfigurationKey] = [
        ConfigurationKey("admin.enabled", \.admin.enabled, .toggle),
        ConfigurationKey("admin.listen", \.admin.listen, .address),
        ConfigurationKey("admin.token_file", \.admin.tokenFile, .path(relativeTo: "data_directory")),
    ]

    private static let federation: [ConfigurationKey] = [
        ConfigurationKey("federation.enabled", \.federation.enabled, .toggle),
        ConfigurationKey("federation.listen", \.federation.listen, .address),
        ConfigurationKey(
            "federation.tls.certificate", \.federation.tls.certificate,
            .existingFile(orNull: "plain HTTP, behind a reverse proxy")),
        ConfigurationKey(
            "federation.tls.key", \.federation.tls.key,
            .existingFile(orNull: "plain HTTP, behind a reverse proxy")),
        ConfigurationKey(
            "federation.signing_key", \.federation.signingKey,
            .path(orNull: "signing.key in data_directory")),
        ConfigurationKey("federation.signing_key_id", \.federation.signingKeyID, .signingKeyID),
        ConfigurationKey("federation.ca_file", \.federation.caFile, .existingFile(orNull: "none")),
        ConfigurationKey("federation.pinned_keys", \.federation.pinnedKeys, .existingFile(orNull: "none")),
        ConfigurationKey("federation.resolve", \.federation.resolve, .addressesByServer),
        ConfigurationKey("federation.allowed_networks", \.federation.allowedNetworks, .addressRanges),
        ConfigurationKey("federation.dns_servers", \.federation.dnsServers, .dnsServers),
        ConfigurationKey("federation.notaries", \.federation.notaries, .serverNames),
        ConfigurationKey("federation.body_limit", \.federation.bodyLimitBytes, .size((64 << 10)...(64 << 20))),
        ConfigurationKey("federation.busy_as", \.federation.busyAs, .choice),
    ]

    private static let federationAccess: [ConfigurationKey] = [
        ConfigurationKey("federation.send", \.federation.send, .toggle),
        ConfigurationKey("federation.receive", \.federation.receive, .toggle),
        ConfigurationKey("federation.allow_servers", \.federation.allowServers, .serverGlobs),
        ConfigurationKey("federation.deny_servers", \.federation.denyServers, .serverGlobs),
        ConfigurationKey("federation.incoming.per_second", \.federation.incoming.perSecond, .number(0...10_000)),
        ConfigurationKey("federation.incoming.burst", \.federation.incoming.burst, .count(1...100_000)),
        ConfigurationKey("federation.incoming.queue", \.federation.incoming.queue, .count(0...1000)),
    ]

    private static let federationTimes: [ConfigurationKey] = [
        ConfigurationKey(
            "federation.request_timeout", \.federation.requestTimeout, .duration(.seconds(1), .minutes(5))),
        ConfigurationKey(
            "federation.connect_timeout", \.federation.connectTimeout, .duration(.seconds(1), .minutes(1))),
        ConfigurationKey("federation.doubtful_limit", \.federation.doubtfulLimit, .count(1...10_000)),
        ConfigurationKey("federation.batch.window", \.federation.batch.window, .duration(.zero, .minutes(5))),
        ConfigurationKey("federation.batch.stretch", \.federation.batch.stretch, .duration(.zero, .minutes(10))),
        ConfigurationKey("federation.batch.lead", \.federation.batch.lead, .choice),
        ConfigurationKey("federation.promise", \.federation.promise, .duration(.minutes(1), .hours(24))),
        ConfigurationKey("federation.unpoll_grace", \.federation.unpollGrace, .duration(.zero, .hours(1))),
        ConfigurationKey("federation.retry.first", \.federation.retry.first, .duration(.seconds(1), .minutes(10))),
        ConfigurationKey("federation.retry.factor", \.federation.retry.factor, .number(1...10)),
        ConfigurationKey("federation.retry.limit", \.federation.retry.limit, .duration(.seconds(1), .hours(24))),
        ConfigurationKey("federation.retry.jitter", \.federation.retry.jitter, .number(0...0.5)),
        ConfigurationKey(
            "federation.key_validity_limit", \.federation.keyValidityLimit, .duration(.hours(1), .hours(7 * 24))),
        ConfigurationKey(
            "federation.watchdog.short", \.federation.watchdog.short, .duration(.seconds(5), .hours(1))),
        ConfigurationKey(
            "federation.watchdog.long", \.federation.watchdog.long, .duration(.minutes(1), .hours(24))),
        ConfigurationKey("federation.silent_after", \.federation.silentAfter, .count(1...100)),
        ConfigurationKey(
            "federation.legacy.refresh", \.federation.legacy.refresh, .duration(.minutes(1), .hours(24))),
        ConfigurationKey(
            "federation.legacy.room_limit", \.federation.legacy.roomLimit, .count(0...1_000_000)),
    ]

    private static let presence: [ConfigurationKey] = [
        ConfigurationKey("presence.offline_after", \.presence.offlineAfter, .duration(.seconds(1), .hours(1))),
        ConfigurationKey("presence.idle_after", \.presence.idleAfter, .duration(.seconds(1), .hours(24))),
        ConfigurationKey("presence.busy_ends_after", \.presence.busyEndsAfter, .duration(.seconds(1), .hours(24))),
        ConfigurationKey("presence.age_granularity", \.presence.ageGranularity, .duration(.seconds(1), .hours(1))),
        ConfigurationKey(
            "presence.status_text_limit", \.presence.statusTextLimitBytes, .size(1...StatusText.limitBytes)),
        ConfigurationKey("presence.devices_per_user", \.presence.devicesPerUser, .count(1...1000)),
        ConfigurationKey("presence.streams_per_user", \.presence.streamsPerUser, .count(1...10_000)),
        ConfigurationKey("presence.rooms_per_user", \.presence.roomsPerUser, .count(1...1_000_000)),
        ConfigurationKey("presence.excluded_rooms", \.presence.excludedRooms, .rooms),
        ConfigurationKey("presence.hidden_polls", \.presence.hiddenPolls, .toggle),
        ConfigurationKey("presence.interest_limit", \.presence.interestLimit, .duration(.seconds(1), .hours(24))),
    ]

    private static let lists: [ConfigurationKey] = [
        ConfigurationKey("lists.policy", \.lists.policy, .choice),
        ConfigurationKey("lists.policy_by_server", \.lists.policyByServer, .policiesByServer),
        ConfigurationKey("lists.grant_mutually", \.lists.grantMutually, .toggle),
        ConfigurationKey("lists.entries_per_user", \.lists.entriesPerUser, .count(1...100_000)),
        ConfigurationKey("lists.requests_per_user", \.lists.requestsPerUser, .count(1...100_000)),
        ConfigurationKey("lists.requests_per_server", \.lists.requestsPerServer, .count(1...100_000)),
        ConfigurationKey("lists.consents_per_user", \.lists.consentsPerUser, .count(1...100_000)),
        ConfigurationKey("lists.groups_per_user", \.lists.groupsPerUser, .count(1...64)),
    ]

    private static let store: [ConfigurationKey] = [
        ConfigurationKey("store.file", \.store.file, .path(relativeTo: "data_directory")),
        ConfigurationKey("store.synchronous", \.store.synchronous, .choice),
        ConfigurationKey("store.write_behind", \.store.writeBehind, .duration(.milliseconds(10), .seconds(10))),
    ]

    private static let log: [ConfigurationKey] = [
        ConfigurationKey("log.level", \.log.level, .choice),
        ConfigurationKey("log.format", \.log.format, .choice),
    ]
}
