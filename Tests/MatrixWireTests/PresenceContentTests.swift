import MatrixWire
import PresenceModel
import Testing

@Suite struct PresenceContentTests {
    @Test func `others are told of the device`() throws {
        let content = PresenceContent(
            state: .freeForChat, lastActiveAgoMilliseconds: 0, deviceType: try DeviceType(parsing: "mobile"))
        #expect(
            text(content.encode()) == #"{"presence":"online","last_active_ago":0,"currently_active":true,"#
                + #""org.presenced.state":"free_for_chat","org.presenced.device_type":"mobile"}"#)
    }

    @Test func `users are told of themselves what others are not`() {
        let until = Instant(millisecondsSinceEpoch: 99)
        var content = PresenceContent(
            state: .offline, statusText: "a",
            own: .init(
                isHidden: true, chosen: .busy, override: PresenceOverride(state: .hidden, until: until),
                waitingRequests: 2))
        #expect(
            text(content.encode()) == #"{"presence":"offline","status_msg":"a","org.presenced.state":"hidden","#
                + #""org.presenced.chosen":"busy","org.presenced.override":{"presence":"hidden","until_ts":99},"#
                + #""org.presenced.waiting_requests":2}"#)
        content.own = nil
        #expect(text(content.encode()) == #"{"presence":"offline","status_msg":"a"}"#)
    }

    @Test(arguments: [
        (PublishedState.online, ChosenState.online), (.busy, .busy), (.freeForChat, .freeForChat),
        (.offline, .offline),
    ])
    func `a choice that is shown is not told twice`(state: PublishedState, chosen: ChosenState) {
        let content = PresenceContent(state: state, own: .init(isHidden: false, chosen: chosen))
        #expect(content.encode() == PresenceContent(state: state).encode())
    }

    @Test func `an idle user is told what they chose`() {
        let content = PresenceContent(state: .unavailable, own: .init(isHidden: false, chosen: .freeForChat))
        #expect(text(content.encode()) == #"{"presence":"unavailable","org.presenced.chosen":"free_for_chat"}"#)
    }

    @Test func `what is not known is said to be so`() throws {
        let since = Instant(millisecondsSinceEpoch: 7)
        let never = UnknownPresenceContent(reason: .neverHeard, since: since)
        #expect(
            text(never.encode())
                == #"{"presence":"offline","org.presenced.state":"unknown","#
                + #""org.presenced.unknown":{"reason":"never_heard"}}"#)
        let lapsed = UnknownPresenceContent(reason: .promiseLapsed, since: since, value: .disabled)
        var writer = JSONWriter()
        lapsed.writeEvent(sender: try UserID(parsing: "@a:x"), to: &writer)
        #expect(
            text(writer.bytes) == #"{"type":"m.presence","sender":"@a:x","content":"#
                + #"{"presence":"support.feline.msc4042.v1.disabled","org.presenced.state":"unknown","#
                + #""org.presenced.unknown":{"reason":"promise_lapsed","since_ts":7}}}"#)
    }
}
