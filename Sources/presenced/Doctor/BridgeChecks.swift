import HomeserverLink
import MatrixWire
import PresenceModel
import SocialTransport

/// The bridge reaches its social service, and users' sessions are open.
enum BridgeChecks {
    static let reached = "social service"
    static let sessions = "bridge"
    static let target = "/_presenced/admin/v1/bridge"

    /// Where the external service is, as a server that answers requests; `nil` where there is none.
    static func origin(of bridge: ServerConfiguration.Bridge) -> HomeserverOrigin? {
        guard bridge.services.contains(.external), let url = bridge.url else { return nil }
        let name = url.host.contains(":") ? "[\(url.host)]" : url.host
        return try? HomeserverOrigin(parsing: "\(url.isSecure ? "https" : "http")://\(name):\(url.port)")
    }

    /// - Parameter sighting: of a request without an upgrade at the service's path: whatever it answers, it is there.
    static func judgeReached(_ sighting: Sighting, at url: String) -> Finding {
        switch sighting {
        case .answered: .ok(reached, "\(url) answers")
        case .silent(let why):
            .failed(
                reached, "\(url) does not answer: \(why)",
                do: "See that bridge.url is right and the service runs; with wss://, bridge.ca_file too.")
        }
    }

    /// - Parameter sighting: of ``target`` with the operator's token. One finding for each service.
    static func judgeSessions(_ sighting: Sighting) -> [Finding] {
        guard case .answered(let reply) = sighting, reply.status == 200,
            let services = reply.document["services"]?.array
        else {
            return [
                .failed(
                    sessions, "presenced runs without the bridge that is configured",
                    do: "Restart presenced with this configuration.")
            ]
        }
        return services.map(judge)
    }

    private static func judge(_ service: JSONValue) -> Finding {
        let (open, all) = (service["sessions_open"]?.integer ?? 0, service["sessions"]?.integer ?? 0)
        let found = "\(service["service"]?.string ?? "?"): \(open) of \(all) sessions are open"
        guard all > 0 else {
            return .warning(
                sessions, "\(found): nobody is bridged",
                do: "Link users (presenced bridge link, bridge.links_file), and let them take part "
                    + "(presenced bridge user … --participates yes, or bridge.participation).")
        }
        guard open < all else { return .ok(sessions, found) }
        let kinds = (service["failures"]?.object?.members ?? []).map { "\($0.value.integer ?? 0) \($0.key)" }
        let why = kinds.isEmpty ? "" : "; failures since the start: \(kinds.joined(separator: ", "))"
        let todo =
            "presenced bridge status has the latest failure, presenced bridge user NAME that of one user: "
            + "no_credential and unauthorized are for the user to mend, by handing over another."
        return open == 0 ? .failed(sessions, found + why, do: todo) : .warning(sessions, found + why, do: todo)
    }
}
