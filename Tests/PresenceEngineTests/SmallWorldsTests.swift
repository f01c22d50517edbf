import PresenceEngine
import PresenceModel
import PresenceTestKit
import Testing

/// Every short sequence of what can happen to one user with two devices, compared with the naive model after each step,
/// to the millisecond around every limit.
///
/// Everything at once is tried up to length 4; three smaller alphabets, which together hold all of it, up to length 5. The
/// first letters are dealt to tests of their own, so that they share the machine. 719,425 sequences in all.
@Suite struct `Every short sequence` {
    typealias Letter = SmallWorld.Letter

    static let time: [Letter] = [.before, .at, .after]

    static let states: [Letter] = ChosenState.allCases.map {
        .choose($0, text: $0 == .hidden || $0 == .busy ? "tea" : nil)
    }

    static func contacts(_ device: Int) -> [Letter] {
        [.act(device), .sync(device, .online), .sync(device, .unavailable), .idle(device, 120_000)]
            + [.open(device, .online), .close(device)]
    }

    static let everything: [Letter] =
        states + contacts(0) + contacts(1) + [.sync(0, .offline), .present(0), .present(1), .revoke(0), .seen(0)] + time

    /// All that a user can pick, on a device that comes and goes.
    static let choices: [Letter] = states + [.act(0), .open(0, .online), .close(0)] + time

    /// What a user insists on, over what is beneath.
    static let overrides: [Letter] =
        [.choose(.online, text: "tea"), .choose(.hidden, text: "tea"), .choose(.offline, text: nil)]
        + [.insist(.busy, for: nil), .insist(.hidden, for: .seconds(20)), .insist(.online, for: .minutes(6))]
        + [.insist(nil, for: nil), .seen(0), .open(0, .online)] + time

    /// All that two devices can do that differ in their type.
    static let devices: [Letter] = contacts(0) + contacts(1) + time
    static let typed: [Letter] = [.type(0, "mobile"), .type(1, "desktop"), .at]

    @Test(arguments: everything) func `of four things is what the model says`(first: Letter) throws {
        let findings = try SmallWorld().explore(Self.everything, length: 4, beginningWith: first)
        #expect(findings.difference == nil)
    }

    @Test(arguments: choices) func `of five choices is what the model says`(first: Letter) throws {
        let findings = try SmallWorld().explore(Self.choices, length: 5, beginningWith: first)
        #expect(findings.difference == nil)
    }

    @Test(arguments: overrides) func `of five overrides is what the model says`(first: Letter) throws {
        let findings = try SmallWorld().explore(Self.overrides, length: 5, beginningWith: first)
        #expect(findings.difference == nil)
    }

    @Test(arguments: devices) func `of five contacts of two devices is what the model says`(first: Letter) throws {
        let findings = try SmallWorld().explore(Self.devices, length: 5, after: Self.typed, beginningWith: first)
        #expect(findings.difference == nil)
    }

    @Test func `is tried, and none twice`() throws {
        // Fewer than 12 to the third: time needs a limit ahead, and only an open stream is closed.
        let findings = try SmallWorld().explore(Self.choices, length: 3)
        #expect(findings.sequences == 1_040)
        let all = try SmallWorld().explore(Self.everything, length: 2)
        #expect(all.sequences == 369)
    }
}
