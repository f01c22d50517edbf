import MatrixWire

/// The answer of `GET …/peers` as a table that fits 120 columns: one line for each server, and one below it for what was
/// not sent, if there was anything.
enum PeerTable {
    private struct Column: Sendable {
        var title: String
        var width: Int
        var text: @Sendable (JSONValue, Int64) -> String
    }

    private static let columns = [
        Column(title: "SERVER", width: 28) { peer, _ in peer["server"]?.string ?? "" },
        Column(title: "KIND", width: 8) { peer, _ in peer["kind"]?.string ?? "" },
        Column(title: "GIVEN", width: 6) { peer, _ in count(peer["promises_given"]) },
        Column(title: "HELD", width: 9) { peer, _ in "\(count(peer["promises_held"]))/\(count(peer["wanted"]))" },
        Column(title: "SHORT", width: 6) { peer, now in left(peer["short_due_ts"], now) },
        Column(title: "LONG", width: 6) { peer, now in left(peer["long_due_ts"], now) },
        Column(title: "WINDOW", width: 6) { peer, now in left(peer["window_closes_ts"], now) },
        Column(title: "HEARD", width: 10) { peer, now in ago(peer["last_heard_ts"], now) },
        Column(title: "BACK-OFF", width: 16, text: pause),
        Column(title: "SENT", width: 7) { peer, _ in count(peer["counts"]?["edus_sent"]) },
        Column(title: "UNSENT", width: 7) { peer, _ in compact(unsent(of: peer).reduce(0) { $0 + $1.count }) },
    ]

    /// Lines of at most 120 characters.
    static func lines(of answer: JSONValue) -> [String] {
        let now = answer["now_ts"]?.integer ?? 0
        let peers = answer["peers"]?.array ?? []
        let total = answer["total"]?.integer ?? 0
        guard !peers.isEmpty else { return [total == 0 ? "No other server is known." : "No server from there on."] }
        var lines = [row(columns.map(\.title))]
        for peer in peers {
            lines.append(row(columns.map { $0.text(peer, now) }))
            let reasons = unsent(of: peer).map { reason, count in
                "\(compact(count)) \(reason.map { $0 == "_" ? " " : String($0) }.joined())"
            }
            if !reasons.isEmpty { lines.append("    not sent: \(reasons.joined(separator: ", "))") }
        }
        if let next = answer["next"]?.string {
            lines.append("\(peers.count) of \(total) servers; go on with --from \(next)")
        } else {
            lines.append(total == 1 ? "1 server" : "\(total) servers")
        }
        return lines
    }

    private static func row(_ texts: [String]) -> String {
        var line = ""
        for (column, text) in zip(columns, texts) {
            let cut = text.count > column.width ? text.prefix(column.width - 1) + "…" : text[...]
            line += cut + String(repeating: " ", count: column.width - cut.count + 1)
        }
        return String(line.reversed().drop { $0 == " " }.reversed())
    }

    private static func unsent(of peer: JSONValue) -> [(reason: String, count: Int64)] {
        (peer["counts"]?["not_sent"]?.object?.members ?? []).map { ($0.key, $0.value.integer ?? 0) }
    }

    private static func pause(_ peer: JSONValue, _ now: Int64) -> String {
        if peer["opted_out_until_ts"] != nil { return "opted out \(left(peer["opted_out_until_ts"], now))" }
        let failures = peer["failures"]?.integer ?? 0
        if peer["retry_at_ts"] != nil { return "\(left(peer["retry_at_ts"], now)), \(failures) failed" }
        return failures > 0 ? "\(failures) failed" : "-"
    }

    private static func left(_ instant: JSONValue?, _ now: Int64) -> String {
        instant?.integer.map { span(max(0, $0 - now)) } ?? "-"
    }

    private static func ago(_ instant: JSONValue?, _ now: Int64) -> String {
        instant?.integer.map { "\(span(max(0, now - $0))) ago" } ?? "never"
    }

    private static func count(_ value: JSONValue?) -> String { compact(value?.integer ?? 0) }

    /// As in `812`, `12k`, `3M`.
    private static func compact(_ count: Int64) -> String {
        switch count {
        case ..<10_000: "\(count)"
        case ..<10_000_000: "\(count / 1000)k"
        default: "\(count / 1_000_000)M"
        }
    }

    /// As in `47s`, `12m`, `2h5m`, `3d`.
    static func span(_ milliseconds: Int64) -> String {
        let seconds = milliseconds / 1000
        switch seconds {
        case ..<60: return "\(seconds)s"
        case ..<3600: return "\(seconds / 60)m"
        case ..<86_400: return "\(seconds / 3600)h\(seconds / 60 % 60)m"
        default: return "\(seconds / 86_400)d"
        }
    }
}
