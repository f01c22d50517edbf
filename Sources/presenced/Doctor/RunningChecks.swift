import MatrixWire
import PresenceModel

/// presenced itself runs, by this configuration.
enum RunningChecks {
    static let running = "presenced"
    static let admin = "operator's interface"
    static let adminTarget = "/_presenced/admin/v1/peers?limit=1"

    /// - Parameter sighting: of anything at `client.listen`.
    static func judge(_ sighting: Sighting, at listen: NetworkAddress, server: ServerName) -> Finding {
        switch sighting {
        case .silent(let why):
            return .failed(
                running, "does not answer at \(listen) (client.listen): \(why)",
                do: "Start it: presenced serve --config FILE, or systemctl start presenced; if it stops, see its log.")
        case .answered(let reply):
            guard let mark = reply.mark else {
                return .failed(
                    running, "what answers at \(listen) (client.listen) is not presenced, or an older one",
                    do: "Stop the other program, or choose another port; then start presenced.")
            }
            if let difference = mark.difference(from: "client", of: server) {
                return .failed(
                    running, "at \(listen) runs \(difference)",
                    do: "Restart presenced with this configuration and this version.")
            }
            return .ok(running, "\(mark.version) runs for \(mark.serverName)")
        }
    }

    /// - Parameter sighting: of ``adminTarget`` with the operator's token.
    static func judgeAdmin(_ sighting: Sighting, at listen: NetworkAddress, server: ServerName) -> Finding {
        switch sighting {
        case .silent(let why):
            return .failed(
                admin, "does not answer at \(listen) (admin.listen): \(why)",
                do: "Restart presenced with this configuration.")
        case .answered(let reply):
            guard let mark = reply.mark, mark.difference(from: "admin", of: server) == nil else {
                return .failed(
                    admin, "what answers at \(listen) (admin.listen) is something else",
                    do: "Choose another port, and restart presenced.")
            }
            guard reply.status == 200 else {
                return .failed(
                    admin, "does not take the token in admin.token_file (\(reply.summary))",
                    do: "Restart presenced if the file was replaced; see that this is the file that it reads.")
            }
            return .ok(admin, "answers")
        }
    }
}
