import Foundation
import MatrixWire
import PresenceModel

/// One fact in words for the operator, and the name that programs know it by.
struct Sentence: Hashable, Sendable {
    var fact: String
    var text: String

    init(_ fact: String, _ text: String) {
        self.fact = fact
        self.text = text
    }

    var json: JSONValue { ["fact": .string(fact), "text": .string(text)] }
}

/// Times as they are told to people, seen from one instant.
struct TimeWords: Sendable {
    let now: Instant

    /// As in `2026-11-21T07:15:20Z (3 min ago)`; of what lies ahead `… (in 3 min)`.
    func at(_ instant: Instant) -> String {
        let seconds = Double(instant.millisecondsSinceEpoch / 1000)
        return "\(Date(timeIntervalSince1970: seconds).ISO8601Format()) (\(distance(to: instant)))"
    }

    /// As in `3 min ago`, or `in 3 min`.
    func distance(to instant: Instant) -> String {
        let milliseconds = instant.milliseconds(since: now)
        return milliseconds > 0
            ? "in \(TimeWords.span(milliseconds: milliseconds))" : "\(TimeWords.span(milliseconds: -milliseconds)) ago"
    }

    /// As in ` since 2026-11-21T07:15:20Z (3 min ago)`; nothing if it is not known.
    func since(_ instant: Instant?) -> String {
        guard let instant, instant != .epoch else { return "" }
        return " since \(at(instant))"
    }

    /// The two largest units that matter: `47 s`, `3 min`, `2 h 5 min`, `4 d 2 h`. What lies below a second is `0 s`.
    static func span(milliseconds: Int64) -> String {
        let seconds = milliseconds / 1000
        switch seconds {
        case ..<60: return "\(seconds) s"
        case ..<3600: return "\(seconds / 60) min"
        case ..<86_400:
            let minutes = seconds / 60 % 60
            return minutes == 0 ? "\(seconds / 3600) h" : "\(seconds / 3600) h \(minutes) min"
        default:
            let hours = seconds / 3600 % 24
            return hours == 0 ? "\(seconds / 86_400) d" : "\(seconds / 86_400) d \(hours) h"
        }
    }
}

/// Members of a JSON object that may be missing.
func fields(_ members: KeyValuePairs<String, JSONValue?>) -> JSONValue {
    var object = JSONObject()
    for (key, value) in members { if let value { object[key] = value } }
    return .object(object)
}

extension Instant {
    /// Milliseconds since 1970.
    var json: JSONValue { .integer(millisecondsSinceEpoch) }
}
