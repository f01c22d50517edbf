import Foundation
import HomeserverLink
import MatrixWire
import PresenceModel

/// The homeserver and presenced know each other as application service and its homeserver, both ways.
enum ApplicationServiceChecks {
    static let known = "application service"
    static let users = "users of the registration"
    static let back = "homeserver → presenced"
    static let admin = "admin API"
    static let whoamiTarget = "/_matrix/client/v3/account/whoami"
    static let adminTarget = "/_synapse/admin/v1/rooms?limit=1"

    static func pingTarget(_ id: String) -> String {
        "/_matrix/client/v1/appservice/\(PercentEncoding.encode(id))/ping"
    }

    /// - Parameter sighting: of whoami with the `as_token`.
    static func judgeKnown(_ sighting: Sighting, sender: String) -> Finding {
        switch sighting {
        case .silent(let why):
            return .failed(known, "no answer: \(why)", do: "Look at the homeserver's log, and run this again.")
        case .answered(let reply) where reply.status == 200:
            let user = reply.document["user_id"]?.string ?? "nobody"
            guard user != sender else { return .ok(known, "the homeserver knows it as \(user)") }
            return .failed(
                known, "the homeserver takes it for \(user), not for \(sender)",
                do: "See that server_name is the homeserver's, and that both read the same registration; restart both.")
        case .answered(let reply) where reply.status == 401 || reply.status == 403:
            return .failed(
                known, "the homeserver does not know the as_token of the registration (\(reply.summary))",
                do:
                    "List the registration in app_service_config_files of homeserver.yaml, see that its copy is the same "
                    + "file, and restart the homeserver: it reads it at its start only.")
        case .answered(let reply):
            return .failed(
                known, "the homeserver answers \(reply.summary) to whoami", do: "Look at the homeserver's log.")
        }
    }

    /// Whether the registration lets presenced ask in the name of local users, as `lazy` needs it.
    static func judgeUsers(patterns: [String], bootstrap: RoomCensus.Bootstrap, at server: ServerName) -> Finding {
        let user = "@presenced.doctor:\(server)"
        let covers = patterns.contains { pattern in
            guard let expression = try? NSRegularExpression(pattern: pattern) else { return false }
            let range = NSRange(user.startIndex..., in: user)
            return expression.firstMatch(in: user, options: .anchored, range: range) != nil
        }
        if covers { return .ok(users, "every user of \(server) can be asked for") }
        let advice =
            "Make a new registration with 'presenced generate-registration', give it to the homeserver, and restart both."
        if bootstrap == .lazy {
            return .failed(
                users, "no pattern fits users of \(server), and bootstrap lazy asks in their names", do: advice)
        }
        return .warning(
            users, "no pattern fits users of \(server): invitations cannot be left in their names", do: advice)
    }

    /// - Parameters:
    ///   - sighting: of the ping.
    ///   - url: where the homeserver reaches presenced, by the registration.
    ///   - listen: where presenced listens for it.
    static func judgeBack(_ sighting: Sighting, url: String?, listen: NetworkAddress) -> Finding {
        let place = "The registration says \(url ?? "null"), and presenced listens at \(listen)"
        switch sighting {
        case .silent(let why): return .failed(back, "no answer to the ping: \(why)", do: "Run this again.")
        case .answered(let reply) where reply.status == 200:
            return .ok(back, "reached in \(reply.document["duration_ms"]?.integer ?? 0) ms")
        case .answered(let reply): return judgeRefusal(reply, place: place)
        }
    }

    private static func judgeRefusal(_ reply: Sighting.Reply, place: String) -> Finding {
        switch reply.errorCode {
        case "M_URL_NOT_SET":
            return .failed(
                back, "the homeserver's registration has no url, so it tells presenced nothing",
                do: "Set url in the registration to where presenced listens, and restart the homeserver.")
        case "M_CONNECTION_FAILED":
            return .failed(
                back, "the homeserver cannot connect to presenced (\(reply.summary))",
                do:
                    "\(place) (homeserver.application_service.listen): see that these are one place, reachable from the "
                    + "homeserver's machine or container; change the registration on both sides and restart both.")
        case "M_CONNECTION_TIMEOUT":
            return .failed(
                back, "the homeserver waits for presenced in vain (\(reply.summary))",
                do: "\(place): see that no firewall lies between the two.")
        case "M_BAD_STATUS":
            let status = reply.document["status"]?.integer.map { "\($0)" } ?? "an error"
            return .failed(
                back, "what the homeserver finds at that address answers \(status) (\(reply.summary))",
                do:
                    "\(place). With 401 or 403 the hs_token differs: both must read the same registration; restart both."
            )
        default:
            guard [404, 405].contains(reply.status) else {
                return .failed(back, "the homeserver answers \(reply.summary)", do: "Look at the homeserver's log.")
            }
            return .warning(
                back, "the homeserver knows no ping (\(reply.summary)), so this cannot be told",
                do: "Look in presenced's log for transactions after somebody wrote something.")
        }
    }

    /// - Parameter sighting: of the admin API with the administrator's token.
    static func judgeAdmin(_ sighting: Sighting) -> Finding {
        switch sighting {
        case .silent(let why): return .failed(admin, "no answer: \(why)", do: "Run this again.")
        case .answered(let reply) where reply.status == 200: return .ok(admin, "answers")
        case .answered(let reply) where reply.status == 401:
            return .failed(
                admin, "the token in admin_token_file is not known (\(reply.summary))",
                do: "Log in as an administrator of the homeserver, and put the new access token into the file.")
        case .answered(let reply) where reply.status == 403:
            return .failed(
                admin, "the token in admin_token_file is not an administrator's (\(reply.summary))",
                do: "Make that user an administrator, or put an administrator's token into the file.")
        case .answered(let reply):
            return .failed(
                admin, "not there (\(reply.summary))",
                do: "It is Synapse's own: at homeserver.url it needs the resource 'client'. For others: bootstrap lazy."
            )
        }
    }
}
