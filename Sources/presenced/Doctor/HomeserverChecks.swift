import MatrixWire
import PresenceModel

/// The homeserver answers, is a homeserver, and its clock is ours.
enum HomeserverChecks {
    static let reached = "homeserver"
    static let clock = "clock"
    static let target = "/_matrix/client/versions"

    /// - Parameter sighting: of `GET /_matrix/client/versions` at `homeserver.url`.
    static func judge(_ sighting: Sighting, at url: String) -> Finding {
        guard case .answered(let reply) = sighting else {
            guard case .silent(let why) = sighting else { return .failed(reached, "\(url)", do: "") }
            return .failed(
                reached, "\(url) does not answer: \(why)",
                do:
                    "Start the homeserver, or set homeserver.url to where it listens; with https, homeserver.ca_file too."
            )
        }
        let features = reply.document["unstable_features"]?.object?.members ?? []
        if reply.mark != nil || features.contains(where: { $0.key.hasPrefix("org.presenced.") }) {
            return .failed(
                reached, "\(url) is presenced, or leads to it through the reverse proxy: requests would go in a circle",
                do: "Set homeserver.url to the homeserver's own listener, behind presenced.")
        }
        guard reply.status == 200, let versions = reply.document["versions"]?.array, !versions.isEmpty else {
            return .failed(
                reached, "what answers at \(url) is no homeserver (\(reply.summary) for \(target))",
                do: "Set homeserver.url to the homeserver's listener with the resource 'client'.")
        }
        return .ok(reached, "\(url) answers, up to \(versions.compactMap(\.string).last ?? "?")")
    }

    /// - Parameters:
    ///   - theirs: the `Date` of an answer; `nil`: it had none.
    ///   - ours: when the answer came.
    static func judgeClock(_ theirs: Instant?, ours: Instant) -> Finding {
        guard let theirs else {
            return .warning(
                clock, "the homeserver's answers have no date, so the clocks cannot be compared",
                do: "See that both machines follow a time server (timedatectl).")
        }
        // Whole seconds.
        let apart = abs(ours.milliseconds(since: theirs)) / 1000
        let advice = "Let both machines follow a time server: timedatectl set-ntp true."
        switch apart {
        case ...10: return .ok(clock, apart <= 1 ? "the same" : "\(apart) s apart")
        case ...60: return .warning(clock, "ours and the homeserver's are \(apart) s apart", do: advice)
        default:
            return .failed(
                clock, "ours and the homeserver's are \(apart) s apart: ages are wrong, and signatures and keys expire",
                do: advice)
        }
    }
}
