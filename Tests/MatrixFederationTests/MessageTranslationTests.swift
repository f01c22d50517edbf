import FederationEngine
import MatrixWire
import PresenceModel
import Testing

@testable import MatrixFederation

struct `Messages and EDUs` {
    private let composed = Instant(millisecondsSinceEpoch: 1_700_000_000_000)

    private func user(_ name: String) throws -> UserID { try UserID(parsing: "@\(name):example.org") }

    @Test func `say the same, with ages in place of instants`() throws {
        var message = PresenceMessage()
        message.push = [
            .init(
                user: try user("alice"),
                presence: Presence(
                    state: .busy, statusText: "tea", lastActive: composed.advanced(byMilliseconds: -61_000),
                    deviceType: try DeviceType(parsing: "mobile"))),
            .init(user: try user("bob"), presence: .neverActive),
        ]
        message.poll = [try user("p")]
        message.unpoll = [try user("u")]
        message.query = [try user("q")]
        message.watch = [try user("w")]
        message.promise = .minutes(65)
        let edu = message.edu(composed: composed, ageGranularityMilliseconds: 60_000)
        #expect(edu.push.map(\.deviceType?.text) == ["mobile", nil])
        #expect(edu.push.map(\.lastActiveAgoMilliseconds) == [60_000, nil])
        let arrived = composed + .seconds(3)
        message.push[0].presence.lastActive = arrived.advanced(byMilliseconds: -60_000)
        #expect(PresenceMessage(edu, arrived: arrived) == message)
    }

    @Test func `of a sender who only gives or asks leave tell that it takes part`() {
        let message = PresenceMessage.speakingExtension
        #expect(message.speaksExtension && message.push.isEmpty && message.poll.isEmpty && message.promise == nil)
    }
}
