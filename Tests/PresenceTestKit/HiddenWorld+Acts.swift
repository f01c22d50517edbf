import FederationEngine
import PresenceEngine
import PresenceModel

/// Who is in a ``HiddenWorld``.
struct HiddenCast: Sendable {
    let here: ServerName
    let there: ServerName
    let alice: UserID
    /// Friend of Alice, in her room, and nothing of the two: users of her server.
    let bob: UserID
    let carol: UserID
    let dave: UserID
    /// Friend of Alice, and in her room: users of the other server.
    let erin: UserID
    let frank: UserID
    let room: RoomID
    let devices: [DeviceKey]
    /// By which the social side shows Alice.
    let world: DeviceKey
    let worldType: DeviceType

    var others: [UserID] { [bob, carol, dave] }
    var strangers: [UserID] { [erin, frank] }

    init() throws {
        here = try ServerName(parsing: "here.example")
        there = try ServerName(parsing: "there.example")
        let alice = try UserID(parsing: "@alice:here.example")
        self.alice = alice
        bob = try UserID(parsing: "@bob:here.example")
        carol = try UserID(parsing: "@carol:here.example")
        dave = try UserID(parsing: "@dave:here.example")
        erin = try UserID(parsing: "@erin:there.example")
        frank = try UserID(parsing: "@frank:there.example")
        room = try RoomID(parsing: "!garden:here.example")
        world = DeviceKey(user: alice, device: try DeviceID(parsing: "world"))
        worldType = try DeviceType(parsing: "world")
        devices = try ["phone", "watch"].map { DeviceKey(user: alice, device: try DeviceID(parsing: $0)) }
    }

    func device(of user: UserID) -> DeviceKey { DeviceKey(user: user, device: devices[0].device) }
}

// What happens, before Alice goes and after.
extension HiddenWorld {
    /// Friends, a room, and a while in which everybody does something.
    mutating func settleIn() {
        for user in cast.others + [cast.alice] { perform(.userKnown(user)) }
        for (observer, observed) in [(cast.bob, cast.alice), (cast.alice, cast.bob), (cast.alice, cast.erin)] {
            perform(.entryAdded(observer: observer, observed: observed, note: nil, acl: nil))
        }
        hear(
            [],
            [
                PermissionMessage(.accept, observed: cast.erin, observer: cast.alice),
                PermissionMessage(.invite, observed: cast.alice, observer: cast.erin, request: 7),
            ])
        for user in [cast.alice, cast.carol, cast.frank] { perform(.roomJoined(user, cast.room)) }
        poll()
        for _ in 0..<12 {
            pass(pause())
            if generator.happens(500) {
                let state = generator.pick([ChosenState.online, .online, .busy, .freeForChat, .unavailable])
                perform(.statusChosen(generator.pick(cast.devices), state, text: generator.pick([nil, "tea"])))
            } else if generator.happens(700) {
                let event = aliceContact()
                perform(event)
            } else {
                actAsOther()
            }
        }
    }

    mutating func depart(_ departure: Departure) {
        let device = generator.pick(cast.devices)
        switch departure {
        case .fromSight:
            perform(.deviceActed(device))
            let others: PresenceEngine.Event = .statusChosen(device, .offline, text: nil)
            perform([.statusChosen(device, .hidden, text: "secret"), others, others])
        case .fromOffline, .fromLoss:
            perform(.overrideSet(device, nil))
            perform(.statusChosen(device, .online, text: "tea"))
            if departure == .fromLoss {
                perform(.deviceShown(cast.world, DeviceShowing(type: cast.worldType, use: .inUse, text: "1,2")))
            }
            for key in cast.devices { perform(.deviceRevoked(key)) }
            aliceStreams = []
            pass(.minutes(2))
            if departure == .fromLoss { perform(.deviceLost(cast.world)) }
            if generator.happens(500) { pass(.minutes(2)) }
            perform([
                .statusChosen(device, .hidden, text: "secret"), .statusChosen(device, .offline, text: "tea"), nil,
            ])
        }
    }

    mutating func pause() -> Duration {
        let most: Int64 = generator.pick([5_000, 60_000, 400_000, 4_000_000])
        return .milliseconds(Int64.random(in: 1...most, using: &generator))
    }

    /// One thing that Alice does, or somebody else, or a restart.
    mutating func actAfterwards() {
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<45:
            let event = aliceContact()
            perform([event, event, nil])
        case 45..<60: aliceStaysAway()
        case 60..<95: actAsOther()
        case 95..<97:
            // The social side is heard of again: she is not there.
            perform(.deviceRevoked(cast.world))
        default: restart()
        }
    }

    /// What a device does that changes no choice.
    private mutating func aliceContact() -> PresenceEngine.Event {
        let key = generator.pick(cast.devices)
        switch Int.random(in: 0..<10, using: &generator) {
        case 0, 1: return .deviceActed(key)
        case 2: return .deviceSeen(key)
        case 3: return .deviceSynced(key, generator.pick(SetPresence.allCases))
        case 4, 5:
            let idleness = generator.pick([
                DeviceReport.Idleness.unchanged, .active, .idle(milliseconds: 0), .idle(milliseconds: 60_000),
            ])
            let type = generator.pick(["mobile", "web"])
            return .deviceReported(key, DeviceReport(idleness: idleness, type: try? DeviceType(parsing: type)))
        case 6: return .deviceReportWithdrawn(key)
        case 7 where !aliceStreams.isEmpty: return .streamClosed(aliceStreams.removeFirst())
        case 8 where generator.happens(300):
            return .deviceRevoked(key)
        default:
            aliceStreamCount += 1
            aliceStreams.append(StreamID(aliceStreamCount))
            return .streamOpened(StreamID(aliceStreamCount), key, generator.pick(SetPresence.allCases))
        }
    }

    /// Alice picks, insists and asks again, and stays what she is to others: hidden with any text in the first, offline
    /// with the text that others see in the second.
    private mutating func aliceStaysAway() {
        let key = generator.pick(cast.devices)
        let until = generator.happens(500) ? now + pause() : nil
        switch Int.random(in: 0..<4, using: &generator) {
        case 0:
            let engine = variants[1].instance.presence.ownState(of: cast.alice)
            perform([
                .statusChosen(key, .hidden, text: generator.pick([nil, "psst"])),
                .statusChosen(key, .offline, text: engine.statusText), nil,
            ])
        case 1:
            let hidden = PresenceOverride(
                state: .hidden, text: generator.pick([.asChosen, .replaced("psst"), .replaced(nil)]), until: until)
            perform([
                .overrideSet(key, hidden), .overrideSet(key, PresenceOverride(state: .offline, until: until)), nil,
            ])
        case 2: perform([.overrideSet(key, nil), .overrideSet(key, nil), nil])
        default:
            let event = PresenceEngine.Event.interestSet(cast.alice, .wholeList, until: now + .minutes(40))
            perform([event, event, nil])
        }
    }

    private mutating func actAsOther() {
        let user = generator.pick(cast.others)
        let key = cast.device(of: user)
        switch Int.random(in: 0..<12, using: &generator) {
        case 0: perform(.statusChosen(key, generator.pick(ChosenState.allCases), text: generator.pick([nil, "hm"])))
        case 1: perform(.deviceActed(key))
        case 2, 3, 4:
            if let stream = streams.removeValue(forKey: user) { return perform(.streamClosed(stream)) }
            listen(user)
        case 5: perform(.entryAdded(observer: cast.dave, observed: cast.alice, note: "hello", acl: nil))
        case 6: perform(.entryRemoved(observer: cast.dave, observed: cast.alice))
        case 7: perform(.roomLeft(cast.carol, cast.room))
        case 8: perform(.roomJoined(cast.carol, cast.room))
        case 9:
            var message = PresenceMessage()
            message.unpoll = [cast.alice]
            message.speaksExtension = true
            hear([message])
        default: poll()
        }
    }

    /// The other server asks about Alice, and tells of its users.
    private mutating func poll() {
        var message = PresenceMessage()
        message.poll = [cast.alice]
        message.push = [
            PresenceMessage.Report(
                user: cast.erin, presence: Presence(state: generator.pick([.online, .busy]), lastActive: now))
        ]
        message.promise = .minutes(65)
        message.speaksExtension = true
        hear([message])
    }
}
