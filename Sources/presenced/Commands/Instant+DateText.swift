import Foundation
import PresenceModel

extension Instant {
    /// As in `2026-01-31T12:00:00Z`.
    var dateText: String { Date(timeIntervalSince1970: Double(millisecondsSinceEpoch / 1000)).ISO8601Format() }
}
