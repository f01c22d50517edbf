import PresenceModel
import Testing

@testable import FederationEngine

struct `A key document` {
    let fetched = Instant(millisecondsSinceEpoch: 1_700_000_000_000)

    @Test func `holds until its own end, and is refetched from half its life on`() {
        let validity = KeyValidity(validUntil: fetched + .hours(24), fetched: fetched, limit: .hours(168))
        #expect(validity.holds(at: fetched + .hours(24) + .milliseconds(-1)))
        #expect(!validity.holds(at: fetched + .hours(24)))
        #expect(validity.refetchAfter == fetched + .hours(12))
    }

    @Test func `is relied on for a week at most`() {
        let validity = KeyValidity(validUntil: fetched + .hours(24 * 365), fetched: fetched, limit: .hours(168))
        #expect(validity.until == fetched + .hours(168))
    }

    @Test func `that had ended when it was fetched never holds`() {
        let validity = KeyValidity(validUntil: fetched + .hours(-1), fetched: fetched, limit: .hours(168))
        #expect(!validity.holds(at: fetched))
        #expect(validity.refetchAfter == fetched)
    }
}
