import MatrixWire
import PresenceModel

/// The reverse proxy leads to presenced what presenced must see.
enum ProxyChecks {
    static let name = "reverse proxy"
    static let federation = "reverse proxy for other servers"
    static let federationTarget = "/_matrix/federation/v1/query/edutypes"

    /// One kind of request. They are made without a token, and are refused: nothing comes of them.
    struct Path: Hashable, Sendable {
        var what: String
        var method: String
        var target: String
        /// What is missing if it leads past presenced.
        var loss: String
        /// Whether presence goes on without.
        var isOptional = false
    }

    static func paths(at server: ServerName) -> [Path] {
        let user = PercentEncoding.encode("@presenced.doctor:\(server)")
        let room = PercentEncoding.encode("!presenced.doctor:\(server)")
        let client = "/_matrix/client"
        return [
            Path(
                what: "syncs", method: "GET", target: "\(client)/v3/sync",
                loss: "clients see nobody's presence, and nobody is online"),
            Path(
                what: "presence", method: "GET", target: "\(client)/v3/presence/\(user)/status",
                loss: "what users choose is lost"),
            Path(
                what: "presenced's own paths", method: "GET", target: "\(client)/unstable/org.presenced/devices",
                loss: "lists, devices and streams are missing"),
            Path(
                what: "versions", method: "GET", target: "\(client)/versions",
                loss: "clients do not learn what presenced can do"),
            Path(
                what: "overrides", method: "GET",
                target: "\(client)/unstable/support.feline.msc4043.v1/presence/\(user)/override",
                loss: "clients that show a state for a while cannot", isOptional: true),
            Path(
                what: "sliding sync", method: "POST",
                target: "\(client)/unstable/org.matrix.simplified_msc3575/sync",
                loss: "users of clients with sliding sync are not seen online", isOptional: true),
            Path(
                what: "capabilities", method: "GET", target: "\(client)/v3/capabilities",
                loss: "clients may hide presence", isOptional: true),
            Path(
                what: "typing", method: "PUT", target: "\(client)/v3/rooms/\(room)/typing/\(user)",
                loss: "users who write do not count as active", isOptional: true),
            Path(
                what: "sending", method: "PUT", target: "\(client)/v3/rooms/\(room)/send/m.room.message/doctor",
                loss: "users who write do not count as active", isOptional: true),
        ]
    }

    static func judge(_ sighting: Sighting, of path: Path, server: ServerName) -> Finding {
        let name = "\(name), \(path.what)"
        let advice =
            "Let the reverse proxy lead \(path.target.split(separator: "?")[0]) to client.listen; see Config/nginx.conf."
        switch sighting {
        case .silent(let why):
            return .failed(
                name, "no answer: \(why)", do: "See that --public-url is where clients come to, and its log.")
        case .answered(let reply):
            if let mark = reply.mark {
                guard let difference = mark.difference(from: "client", of: server) else {
                    return .ok(name, "leads through presenced")
                }
                return .failed(name, "leads to \(difference)", do: advice)
            }
            let found = "leads past presenced (\(reply.summary)): \(path.loss)"
            return path.isOptional ? .warning(name, found, do: advice) : .failed(name, found, do: advice)
        }
    }

    /// - Parameter sighting: of ``federationTarget`` at the server's name, as other servers find it.
    static func judgeFederation(_ sighting: Sighting, server: ServerName) -> Finding {
        switch sighting {
        case .silent(let why):
            return .failed(
                federation, "\(server) cannot be reached as other servers do: \(why)",
                do:
                    "See .well-known, SRV records, port 8448, and the certificate. If only this machine cannot reach its "
                    + "own name, run this elsewhere.")
        case .answered(let reply):
            if reply.status == 200, reply.document["org.presenced.presence_invite"] != nil {
                return .ok(federation, "leads through presenced")
            }
            return .failed(
                federation,
                "leads past presenced (\(reply.summary)): presence of other servers' users does not come in",
                do: "Let the reverse proxy lead /_matrix/federation/ to federation.listen; see Config/nginx.conf.")
        }
    }
}
