import BridgeEngine
import GRDB
import PresenceModel
import SocialEngine

extension SnapshotReader {
    /// Rows of one service, in the order of the keys' bytes.
    mutating func bridge(_ service: BridgeDestination) throws -> [BridgeEngine.Record] {
        let own = "service = '\(service.rawValue)'"
        var records: [BridgeEngine.Record] = []
        records += try rows(of: "bridge_link", ["user", "address", "sources"], where: own, by: "user") {
            (row) throws(UnparsableColumn) in
            .link(Link(user: try row.user(0), address: try row.address(1)), try row.linkSources(2))
        }
        records += try rows(
            of: "bridge_person", ["user", "is_known", "participates", "privacy"], where: own, by: "user"
        ) { (row) throws(UnparsableColumn) in
            let person = PersonMemory(
                isKnown: try row.flag(1), participates: row.isNull(2) ? nil : try row.flag(2), privacy: try row.word(3))
            return .person(try row.user(0), person)
        }
        records += try rows(
            of: "bridge_beats", ["address", "is_beating", "last_beat", "sent", "reported"], where: own, by: "address"
        ) { (row) throws(UnparsableColumn) in
            let beats = BeatMemory(
                isBeating: try row.flag(1), lastBeat: try row.present(2, row.instant),
                sent: try row.whereaboutsLines(3), reported: try row.whereabouts(4))
            return .beats(try row.address(0), beats)
        }
        let shown = [
            "address", "user", "kind", "state", "status_text", "before_kind", "before_state", "before_status_text",
        ]
        records += try rows(of: "bridge_shown", shown, where: own, by: "address") { (row) throws(UnparsableColumn) in
            guard let showing = try row.showing(from: 2) else { throw UnparsableColumn(number: 2) }
            return .shown(
                try row.address(0),
                ShownMemory(user: try row.user(1), showing: showing, before: try row.showing(from: 5)))
        }
        records += try rows(of: "bridge_ghost", ["address"], where: own, by: "address") {
            (row) throws(UnparsableColumn) in
            .ghost(try row.address(0))
        }
        records += try rows(
            of: "bridge_pair", ["low", "high", "low_user", "high_user", "aim", "matrix", "social"], where: own,
            by: "low, high"
        ) { (row) throws(UnparsableColumn) in
            let pair = try row.pair(0, 1)
            let memory = PairMemory(
                firstUser: try row.user(2), secondUser: try row.user(3), aim: try row.bond(4), matrix: try row.bond(5),
                social: try row.bond(6))
            return .pair(pair.low, pair.high, memory)
        }
        return records
    }

    mutating func credentials() throws -> [HandedCredential] {
        try rows(
            of: "bridge_credential", ["user", "kind", "secret", "address", "expires"], by: "user, kind"
        ) { (row) throws(UnparsableColumn) in
            guard let secret = try row.text(2, limitBytes: HandedCredential.secretLimitBytes), !secret.isEmpty else {
                throw UnparsableColumn(number: 2)
            }
            return HandedCredential(
                user: try row.user(0), kind: try row.word(1), secret: secret, address: try row.address(3),
                expires: try row.instant(4))
        }
    }
}

extension StoredRow {
    fileprivate func linkSources(_ column: Int) throws(UnparsableColumn) -> Set<LinkSource> {
        guard let text = try text(column, limitBytes: 64) else { throw UnparsableColumn(number: column) }
        var sources: Set<LinkSource> = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let source = LinkSource(rawValue: String(word)) else { throw UnparsableColumn(number: column) }
            sources.insert(source)
        }
        return sources
    }

    fileprivate func bond(_ column: Int) throws(UnparsableColumn) -> Bond {
        guard let text = try text(column, limitBytes: 64), let bond = Bond(word: text) else {
            throw UnparsableColumn(number: column)
        }
        return bond
    }

    fileprivate func whereabouts(_ column: Int) throws(UnparsableColumn) -> Whereabouts? {
        guard let text = try text(column, limitBytes: .max) else { return nil }
        guard let whereabouts = WhereaboutsColumn.read(text) else { throw UnparsableColumn(number: column) }
        return whereabouts
    }

    fileprivate func whereaboutsLines(_ column: Int) throws(UnparsableColumn) -> [Whereabouts] {
        guard let text = try text(column, limitBytes: .max) else { throw UnparsableColumn(number: column) }
        var lines: [Whereabouts] = []
        for line in text.split(separator: "\n") {
            guard let whereabouts = WhereaboutsColumn.read(line) else { throw UnparsableColumn(number: column) }
            lines.append(whereabouts)
        }
        return lines
    }

    /// Kind, state and text; `nil` where no kind is. Only who is visible has the others.
    fileprivate func showing(from column: Int) throws(UnparsableColumn) -> Showing? {
        switch try text(column, limitBytes: 16) {
        case "visible": return .visible(try word(column + 1), statusText: try statusText(column + 2))
        case let kind:
            guard isNull(column + 1) else { throw UnparsableColumn(number: column + 1) }
            guard isNull(column + 2) else { throw UnparsableColumn(number: column + 2) }
            switch kind {
            case nil: return nil
            case "offline": return .offline
            case "unknown": return .unknown
            default: throw UnparsableColumn(number: column)
            }
        }
    }
}
