import BridgeEngine
import MatrixWire
import PresenceModel
import SocialBridge
import SocialEngine
import Testing

@testable import presenced

@Suite struct `The bridge's words` {
    private let ann: Link
    private let bob: Link

    init() throws {
        ann = Link(user: try UserID(parsing: "@ann:x.org"), address: try SocialAddress(parsing: "0xa"))
        bob = Link(user: try UserID(parsing: "@bob:x.org"), address: try SocialAddress(parsing: "0xb"))
    }

    @Test func `name who it is about, and nothing that somebody wrote`() {
        let blocked = Bond.blocked(by: .first)
        let words: [(BridgeRuntime.Word, [String])] = [
            (.unwritten(rows: 3, reason: "full"), ["kept in memory", "rows=3", "reason=full"]),
            (
                .engine(.linkRefused(ann, .file, because: bob)),
                ["user=@ann:x.org", "by=file", "stays=@bob:x.org is 0xb"]
            ),
            (.engine(.linkRefused(ann, .operator, because: nil)), ["too many", "address=0xa"]),
            (.engine(.linkDisplaced(ann, by: bob)), ["was=@ann:x.org is 0xa", "is=@bob:x.org is 0xb"]),
            (
                .engine(
                    .conflictDecided(ann.address, bob.address, matrix: .friends, social: blocked, decided: blocked)),
                ["in_matrix=friends", "in_service=the first blocks", "decided=the first blocks", "first=0xa"]
            ),
            (
                .engine(
                    .leftDifferent(
                        ann.address, bob.address, matrix: .requested(by: .second), social: .nothing,
                        .actingUser(.request(message: "private")))),
                ["in_matrix=the second asked", "in_service=nothing", "reason=the other one's turn"]
            ),
            (.engine(.userForgotten(ann.user)), ["keeps nothing", "user=@ann:x.org"]),
            (.engine(.readingDoubted(ann.address, friends: 7)), ["once more", "address=0xa", "were=7"]),
        ]
        for (word, parts) in words {
            let line = BridgeLogLine(word, service: .embedded)
            let facts = line.facts.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            let text = ([line.message] + facts).joined(separator: " ")
            for part in parts + ["service=embedded"] { #expect(text.contains(part), "\(text): \(part)") }
            #expect(!text.contains("private"))
        }
    }

    @Test func `of the operator's commands say how it stands`() throws {
        let status: JSONValue = [
            "now_ts": 200_000,
            "services": [
                [
                    "service": "external", "url": "wss://s.example:443/", "generation": "v1", "matrix": "presenced",
                    "since_ts": 80_000, "connections": 2, "connections_limit": 20, "sessions": 5, "sessions_open": 4,
                    "credentials_handed_over": 3, "credentials_in_file": 2, "members": 5, "links": 9, "ghosts": 3,
                    "beating": 4, "heartbeats": 100, "heartbeats_at_once": 7,
                    "heartbeats_taken": 99, "sightings": 50, "presented": 20, "echoes_suppressed": 11, "social_acts": 6,
                    "list_edits": 8, "conflicts": 1, "orders_failed": 2,
                    "failures": ["unauthorized": 3, "unreachable": 1], "latest_failure": "refused",
                ]
            ],
        ]
        #expect(
            BridgeText.status(status) == [
                "external wss://s.example:443/ (v1), Matrix by presenced, for 2m",
                "  connections  2 of at most 20",
                "  sessions     4 open of 5; 5 bridged of 9 linked users; 3 ghosts",
                "  credentials  3 handed over, 2 in the file",
                "  heartbeats   4 users; 100 sent, 7 of them at once; 99 taken",
                "  to Matrix    50 told, 20 shown, 11 echoes suppressed",
                "  friendships  6 acts there, 8 edits here, 1 conflicts",
                "  failures     2 orders, 3 unauthorized, 1 unreachable",
                "  the latest   refused",
            ])
        let links: JSONValue = [
            "links": [["user": "@a:x", "address": "0xa", "sources": ["file", "proof"], "live": true]], "total": 2,
            "next": "@b:x",
        ]
        #expect(
            BridgeText.links(links) == ["@a:x  0xa  file,proof  bridged", "1 of 2 links; go on with --from @b:x"])
        #expect(BridgeText.links(["links": [], "total": 0]) == ["Nobody is linked."])
        let user: JSONValue = [
            "address": "0xa", "sources": ["rule"], "participates": true, "chosen": .null, "privacy": "full",
            "sessions": [["service": "external", "open": false, "latest_failure": "unauthorized"]],
            "credentials": [["kind": "token", "state": "refused", "address": "0xa"]],
        ]
        #expect(
            BridgeText.user("@a:x", user) == [
                "@a:x: linked to 0xa by rule; bridged, as configured; privacy full",
                "  session external: not open, latest failure: unauthorized", "  handed over: token for 0xa, refused",
            ])
    }
}
