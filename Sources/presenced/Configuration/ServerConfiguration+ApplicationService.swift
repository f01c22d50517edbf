import HomeserverLink

extension ServerConfiguration {
    /// The section `homeserver.application_service`: what the homeserver tells of rooms.
    struct ApplicationService: Hashable, Sendable {
        /// The file that both sides read; `nil`: no application service.
        var registration: String?
        var listen = NetworkAddress(host: "127.0.0.1", port: 8010)
        var bootstrap = RoomCensus.Bootstrap.lazy
        /// The file with an administrator's access token; `nil`: no admin API.
        var adminTokenFile: String?
        /// How long rooms in use are believed.
        var reconcile = Duration.hours(1)
        /// Messages, typing and reading are activity.
        var activity = false
        /// Under way at once.
        var questions = 4
    }
}

extension ConfigurationKey {
    static let applicationService: [ConfigurationKey] = [
        ConfigurationKey(
            "homeserver.application_service.registration", \.homeserver.applicationService.registration,
            .path(orNull: "no application service")),
        ConfigurationKey(
            "homeserver.application_service.listen", \.homeserver.applicationService.listen, .address),
        ConfigurationKey(
            "homeserver.application_service.bootstrap", \.homeserver.applicationService.bootstrap, .choice),
        ConfigurationKey(
            "homeserver.application_service.admin_token_file", \.homeserver.applicationService.adminTokenFile,
            .existingFile(orNull: "no admin API")),
        ConfigurationKey(
            "homeserver.application_service.reconcile", \.homeserver.applicationService.reconcile,
            .duration(.minutes(1), .hours(24))),
        ConfigurationKey(
            "homeserver.application_service.activity", \.homeserver.applicationService.activity, .toggle),
        ConfigurationKey(
            "homeserver.application_service.questions", \.homeserver.applicationService.questions, .count(1...100)),
    ]
}

extension ConsistencyRule {
    static let applicationService: [ConsistencyRule] = [
        ConsistencyRule(keys: ["homeserver.application_service.registration", "homeserver.url"]) { configuration in
            let homeserver = configuration.homeserver
            guard homeserver.applicationService.registration != nil, homeserver.url == nil else { return nil }
            return "an application service needs its homeserver; set homeserver.url too"
        },
        ConsistencyRule(
            keys: [
                "homeserver.application_service.bootstrap", "homeserver.application_service.admin_token_file",
            ]
        ) { configuration in
            let service = configuration.homeserver.applicationService
            guard service.bootstrap == .admin, service.adminTokenFile == nil else { return nil }
            return "admin needs an administrator's token; set homeserver.application_service.admin_token_file too"
        },
        ConsistencyRule(
            keys: [
                "homeserver.application_service.listen", "client.listen", "admin.listen", "federation.listen",
                "admin.enabled", "federation.enabled", "homeserver.application_service.registration",
            ]
        ) { configuration in
            let service = configuration.homeserver.applicationService
            guard service.registration != nil, service.listen.port != 0 else { return nil }
            let others = [
                ("client.listen", configuration.client.listen, true),
                ("admin.listen", configuration.admin.listen, configuration.admin.enabled),
                ("federation.listen", configuration.federation.listen, configuration.federation.enabled),
            ]
            let other = others.first { $0.1 == service.listen && $0.2 }
            return other.map { "'\(service.listen)' is \($0.0) already; write another port" }
        },
    ]
}
