import Foundation
import HomeserverLink
import Logging
import PresenceRuntime

/// The application service: who tells of rooms, and who keeps them.
struct ApplicationServiceParts: Sendable {
    let registration: Registration
    let census: RoomCensus
    let gateway: ApplicationGateway

    init?(
        _ configuration: ServerConfiguration, upstream: Upstream, runtime: PresenceRuntime, journal: any Journal,
        saved: HomeserverSnapshot, presences: (any PresenceHearing)?, clock: AnchoredClock, logger: Logger
    ) throws {
        let service = configuration.homeserver.applicationService
        guard let path = service.registration else { return nil }
        do throws(RegistrationError) {
            registration = try RegistrationFile.read(path)
        } catch {
            throw StartFailure(
                "cannot use the registration; presenced generate-registration makes it",
                ["path": "\(path)", "reason": "\(error.message)"])
        }
        if service.bootstrap == .lazy, registration.userPatterns.isEmpty {
            throw StartFailure(
                """
                bootstrap lazy asks in the name of users, and the registration has no users in its namespaces; make a \
                new one with generate-registration, or choose another bootstrap
                """, ["path": "\(path)"])
        }
        var settings = RoomCensus.Configuration()
        settings.bootstrap = service.bootstrap
        settings.adminToken = try service.adminTokenFile.map(ApplicationServiceParts.readAdminToken)
        settings.reconcileAfter = service.reconcile
        settings.questions = service.questions
        settings.countsActivity = service.activity
        census = RoomCensus(
            server: configuration.serverName, registration: registration, homeserver: upstream, runtime: runtime,
            journal: journal, saved: saved, configuration: settings, clock: clock, logger: logger)
        gateway = ApplicationGateway(
            registration: registration, census: census, presences: presences, logger: logger)
    }

    private static func readAdminToken(_ path: String) throws -> String {
        let bytes = FileManager.default.contents(atPath: path) ?? Data()
        let token = String(decoding: bytes.prefix(4096), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard !token.isEmpty, token.utf8.count < 4096, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw StartFailure(
                "homeserver.application_service.admin_token_file holds no access token on one line",
                ["path": "\(path)"])
        }
        return token
    }
}
