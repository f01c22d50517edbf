import BridgeEngine
import Foundation
import GRDB
import PresenceModel
import SocialEngine

/// Writes records of the bridge as rows, inside a transaction of the caller. A record that says what holds anyway, or that
/// there is nothing any more, takes its row away.
struct BridgeRowWriter {
    private let database: Database
    private let service: BridgeDestination

    init(_ database: Database, of service: BridgeDestination) {
        self.database = database
        self.service = service
    }

    mutating func write(_ record: BridgeEngine.Record) throws {
        switch record {
        case .link(let link, let sources): try write(link, sources)
        case .person(let user, let person): try write(person, of: user)
        case .beats(let address, let beats):
            try execute(
                """
                INSERT OR REPLACE INTO bridge_beats (service, address, is_beating, last_beat, sent, reported)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
                [
                    service.rawValue, address.text, beats.isBeating, beats.lastBeat.millisecondsSinceEpoch,
                    beats.sent.map(WhereaboutsColumn.write).joined(separator: "\n"),
                    beats.reported.map(WhereaboutsColumn.write),
                ])
        case .shown(let address, let shown): try write(shown, of: address)
        case .ghost(let address):
            try execute(
                "INSERT OR REPLACE INTO bridge_ghost (service, address) VALUES (?, ?)",
                [service.rawValue, address.text])
        case .pair(let low, let high, let pair): try write(pair, low, high)
        }
    }

    private func write(_ link: Link, _ sources: Set<LinkSource>) throws {
        guard !sources.isEmpty else {
            // Another one may have come for the user in the same breath.
            return try execute(
                "DELETE FROM bridge_link WHERE service = ? AND user = ? AND address = ?",
                [service.rawValue, link.user.text, link.address.text])
        }
        let words = sources.sorted().map(\.rawValue).joined(separator: ",")
        try execute(
            "INSERT OR REPLACE INTO bridge_link (service, user, address, sources) VALUES (?, ?, ?, ?)",
            [service.rawValue, link.user.text, link.address.text, words])
    }

    private func write(_ person: PersonMemory, of user: UserID) throws {
        guard person != PersonMemory() else {
            return try execute(
                "DELETE FROM bridge_person WHERE service = ? AND user = ?", [service.rawValue, user.text])
        }
        try execute(
            """
            INSERT OR REPLACE INTO bridge_person (service, user, is_known, participates, privacy)
            VALUES (?, ?, ?, ?, ?)
            """,
            [service.rawValue, user.text, person.isKnown, person.participates, person.privacy.rawValue])
    }

    private func write(_ shown: ShownMemory?, of address: SocialAddress) throws {
        guard let shown else {
            return try execute(
                "DELETE FROM bridge_shown WHERE service = ? AND address = ?", [service.rawValue, address.text])
        }
        let (now, before) = (shown.showing, shown.before)
        try execute(
            """
            INSERT OR REPLACE INTO bridge_shown (service, address, user, kind, state, status_text,
                before_kind, before_state, before_status_text)
            VALUES (?, ?, ?, ?, ?, CAST(? AS TEXT), ?, ?, CAST(? AS TEXT))
            """,
            [
                service.rawValue, address.text, shown.user.text, now.word, now.state?.rawValue,
                now.statusText.map { Data($0.utf8) }, before?.word, before?.state?.rawValue,
                before?.statusText.map { Data($0.utf8) },
            ])
    }

    private func write(_ pair: PairMemory?, _ low: SocialAddress, _ high: SocialAddress) throws {
        guard let pair else {
            return try execute(
                "DELETE FROM bridge_pair WHERE service = ? AND low = ? AND high = ?",
                [service.rawValue, low.text, high.text])
        }
        try execute(
            """
            INSERT OR REPLACE INTO bridge_pair (service, low, high, low_user, high_user, aim, matrix, social)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                service.rawValue, low.text, high.text, pair.firstUser.text, pair.secondUser.text, pair.aim.word,
                pair.matrix.word, pair.social.word,
            ])
    }

    static func write(_ credential: HandedCredential, to database: Database) throws {
        try database.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO bridge_credential (user, kind, secret, address, expires)
                VALUES (?, ?, CAST(? AS TEXT), ?, ?)
                """
        ).execute(arguments: [
            credential.user.text, credential.kind.rawValue, Data(credential.secret.utf8), credential.address.text,
            credential.expires?.millisecondsSinceEpoch,
        ])
    }

    static func remove(_ kind: HandedCredential.Kind, of user: UserID, from database: Database) throws {
        try database.cachedStatement(sql: "DELETE FROM bridge_credential WHERE user = ? AND kind = ?")
            .execute(arguments: [user.text, kind.rawValue])
    }

    private func execute(_ sql: String, _ arguments: StatementArguments) throws {
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
    }
}

extension Showing {
    fileprivate var word: String {
        switch self {
        case .visible: "visible"
        case .offline: "offline"
        case .unknown: "unknown"
        }
    }

    fileprivate var state: PublishedState? { if case .visible(let state, _) = self { state } else { nil } }

    fileprivate var statusText: String? { if case .visible(_, let text) = self { text } else { nil } }
}

extension Bond {
    /// As a column says it.
    var word: String {
        switch self {
        case .nothing: "nothing"
        case .requested(.first): "requested_by_low"
        case .requested(.second): "requested_by_high"
        case .friends: "friends"
        case .blocked(let blockers) where blockers == .first: "blocked_by_low"
        case .blocked(let blockers) where blockers == .second: "blocked_by_high"
        case .blocked: "blocked_by_both"
        }
    }

    /// - Returns: `nil` for a text that is none of ``word``.
    init?(word: String) {
        switch word {
        case "nothing": self = .nothing
        case "requested_by_low": self = .requested(by: .first)
        case "requested_by_high": self = .requested(by: .second)
        case "friends": self = .friends
        case "blocked_by_low": self = .blocked(by: .first)
        case "blocked_by_high": self = .blocked(by: .second)
        case "blocked_by_both": self = .blocked(by: [.first, .second])
        default: return nil
        }
    }
}

/// Whereabouts as a line of a column: `x,y realm`, `-` for what is not there. Bytes of the realm that are no letters,
/// digits or signs of plain ASCII are `%hh`, and so are `%` and a `-` that stands alone.
enum WhereaboutsColumn {
    /// A longer realm is none.
    static let realmLimitBytes = 1024

    static func write(_ whereabouts: Whereabouts) -> String {
        let parcel = whereabouts.parcel.map { "\($0.x),\($0.y)" } ?? "-"
        guard let realm = whereabouts.realm else { return "\(parcel) -" }
        guard realm != "-" else { return "\(parcel) %2d" }
        var escaped = ""
        for byte in realm.utf8 {
            if (0x21...0x7E).contains(byte), byte != UInt8(ascii: "%") {
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16)
                escaped += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return "\(parcel) \(escaped)"
    }

    /// - Returns: `nil` for a text that ``write(_:)`` does not write.
    static func read(_ text: some StringProtocol) -> Whereabouts? {
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        var whereabouts = Whereabouts(realm: nil, parcel: nil)
        if parts[0] != "-" {
            let numbers = parts[0].split(separator: ",", omittingEmptySubsequences: false)
            guard numbers.count == 2, let x = Int32(numbers[0]), let y = Int32(numbers[1]) else { return nil }
            whereabouts.parcel = Whereabouts.Parcel(x: x, y: y)
        }
        if parts[1] != "-" {
            guard parts[1].utf8.count <= 3 * realmLimitBytes, let realm = unescaped(parts[1].utf8) else { return nil }
            whereabouts.realm = realm
        }
        return write(whereabouts) == text ? whereabouts : nil
    }

    private static func unescaped(_ text: some Sequence<UInt8>) -> String? {
        var (bytes, rest) = ([UInt8](), Array(text)[...])
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16) else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
