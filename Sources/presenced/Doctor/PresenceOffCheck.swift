import MatrixWire
import PresenceModel

/// The homeserver's own presence is off: with both on, clients and servers would be told everything twice.
///
/// The application service's user asks for the presence of somebody who does not exist, and shares no room with it.
/// With presence off Synapse answers `offline` for anybody; with presence on it refuses. Nothing is changed by asking.
enum PresenceOffCheck {
    static let name = "presence at the homeserver"

    static func target(at server: ServerName) -> String {
        "/_matrix/client/v3/presence/\(PercentEncoding.encode("@presenced.doctor:\(server)"))/status"
    }

    /// - Parameter sighting: of ``target(at:)``, asked with the application service's token.
    static func judge(_ sighting: Sighting) -> Finding {
        let advice = "In homeserver.yaml: 'presence: { enabled: false }', then restart Synapse."
        switch sighting {
        case .silent(let why):
            return .warning(name, "cannot tell whether it is off: \(why)", do: "Run this again.")
        case .answered(let reply) where reply.status == 200:
            let members = reply.document.object?.members ?? []
            if members.count == 1, reply.document["presence"]?.string == "offline" { return .ok(name, "off") }
            return .failed(name, "on: the homeserver says something of a user who does not exist", do: advice)
        case .answered(let reply) where reply.status == 403:
            return .failed(name, "on, or 'untracked': the homeserver decides itself who sees whom", do: advice)
        case .answered(let reply):
            return .warning(
                name, "cannot tell whether it is off: the homeserver answers \(reply.summary)",
                do: "See for yourself: it must be off in the homeserver's configuration.")
        }
    }

    /// Where the bridge goes by the homeserver's presence, which must be on then.
    static func turned(_ finding: Finding) -> Finding {
        switch finding.verdict {
        case .ok:
            .failed(
                name, "off, and bridge.matrix is homeserver: the bridge hears of nobody",
                do:
                    "In homeserver.yaml: 'presence: { enabled: true }', then restart Synapse; or bridge.matrix: presenced."
            )
        case .failed: .ok(name, "on, as the bridge needs it")
        case .warning, .leftOut: finding
        }
    }
}
