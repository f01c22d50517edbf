import MatrixWire
import PresenceModel

/// Answers of the operator's endpoints of the bridge, for people.
enum BridgeText {
    /// Of `GET …/bridge`: a paragraph for each service.
    static func status(_ answer: JSONValue) -> [String] {
        let now = answer["now_ts"]?.integer ?? 0
        return (answer["services"]?.array ?? []).flatMap { service(of: $0, now) }
    }

    private static func service(of report: JSONValue, _ now: Int64) -> [String] {
        func count(_ key: String) -> Int64 { report[key]?.integer ?? 0 }
        var place = report["service"]?.string ?? ""
        if let url = report["url"]?.string { place += " \(url)" }
        if let generation = report["generation"]?.string { place += " (\(generation))" }
        let since = (report["since_ts"]?.integer).map { PeerTable.span(max(0, now - $0)) } ?? "?"
        var lines = [
            "\(place), Matrix by \(report["matrix"]?.string ?? "?"), for \(since)",
            "  connections  \(count("connections")) of at most \(count("connections_limit"))",
            "  sessions     \(count("sessions_open")) open of \(count("sessions")); \(count("members")) bridged of "
                + "\(count("links")) linked users; \(count("ghosts")) ghosts",
            "  credentials  \(count("credentials_handed_over")) handed over, \(count("credentials_in_file")) in the file",
            "  heartbeats   \(count("beating")) users; \(count("heartbeats")) sent, \(count("heartbeats_at_once")) of them "
                + "at once; \(count("heartbeats_taken")) taken",
            "  to Matrix    \(count("sightings")) told, \(count("presented")) shown, \(count("echoes_suppressed")) echoes "
                + "suppressed",
            "  friendships  \(count("social_acts")) acts there, \(count("list_edits")) edits here, \(count("conflicts")) "
                + "conflicts",
        ]
        if report["credentials_in_file"] == nil { lines.removeAll { $0.hasPrefix("  credentials") } }
        let kinds = (report["failures"]?.object?.members ?? []).map { "\($0.value.integer ?? 0) \($0.key)" }
        let failed = ["\(count("orders_failed")) orders"] + kinds
        lines.append("  failures     \(failed.joined(separator: ", "))")
        if let latest = report["latest_failure"]?.string { lines.append("  the latest   \(latest)") }
        return lines
    }

    /// Of `GET …/bridge/links`: a line for each link.
    static func links(_ answer: JSONValue) -> [String] {
        let links = answer["links"]?.array ?? []
        let total = answer["total"]?.integer ?? 0
        guard !links.isEmpty else { return [total == 0 ? "Nobody is linked." : "No link from there on."] }
        var lines = links.map { link in
            let words = [
                link["user"]?.string ?? "", link["address"]?.string ?? "",
                (link["sources"]?.array ?? []).compactMap(\.string).joined(separator: ","),
                link["live"]?.bool == true ? "bridged" : "not bridged",
            ]
            return words.joined(separator: "  ")
        }
        if let next = answer["next"]?.string {
            lines.append("\(links.count) of \(total) links; go on with --from \(next)")
        } else {
            lines.append(total == 1 ? "1 link" : "\(total) links")
        }
        return lines
    }

    /// Of `GET …/bridge/users/USER`.
    static func user(_ name: String, _ answer: JSONValue) -> [String] {
        let sources = (answer["sources"]?.array ?? []).compactMap(\.string).joined(separator: ", ")
        let link = (answer["address"]?.string).map { "linked to \($0) by \(sources)" } ?? "not linked"
        let choice = answer["chosen"]?.bool == nil ? "as configured" : "by choice"
        let participates = answer["participates"]?.bool == true ? "bridged" : "not bridged"
        var lines = ["\(name): \(link); \(participates), \(choice); privacy \(answer["privacy"]?.string ?? "?")"]
        for session in answer["sessions"]?.array ?? [] {
            let state = session["open"]?.bool == true ? "open" : "not open"
            let failure = (session["latest_failure"]?.string).map { ", latest failure: \($0)" } ?? ""
            lines.append("  session \(session["service"]?.string ?? ""): \(state)\(failure)")
        }
        for credential in answer["credentials"]?.array ?? [] {
            lines.append(
                "  handed over: \(credential["kind"]?.string ?? "") for \(credential["address"]?.string ?? ""), "
                    + "\(credential["state"]?.string ?? "")")
        }
        return lines
    }
}
