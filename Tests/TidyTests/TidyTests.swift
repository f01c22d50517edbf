import Foundation
import Testing

/// The house rules that a reader of the sources can check. See `Spec/Decisions` for why each is one.
struct `The sources` {
    static let pureTargets = [
        "PresenceModel", "PresenceEngine", "FederationEngine", "MatrixWire", "SocialWire", "SocialEngine",
        "BridgeEngine",
    ]

    /// Words that let a clock, chance, tasks or the outside into a pure target.
    static let impureWords = [
        "Date(", ".now", "Task ", "Task{", "Task.", "UUID(", "SystemRandomNumberGenerator", "import Foundation",
        "import Logging", "import NIO", "import Dispatch", "import GRDB", "import Crypto", "ContinuousClock", "sleep",
        "await ", "print(", "FileManager", "URLSession",
    ]

    static let forbiddenNames = ["Manager", "Helper", "Utils", "Handler", "Data", "Info"]

    @Test(arguments: pureTargets) func `of a pure target keep the world out`(target: String) throws {
        for file in try SourceTree.files(under: "Sources/\(target)") {
            for (number, line) in file.codeLines {
                for word in `The sources`.impureWords where line.contains(word) {
                    Issue.record("\(file.path):\(number): '\(word)' in a pure target")
                }
                if line.contains(".random("), !line.contains("using:") {
                    Issue.record("\(file.path):\(number): chance without a seed in a pure target")
                }
            }
        }
    }

    @Test func `have files of at most 600 lines and functions of at most 60`() throws {
        for file in try SourceTree.all() {
            if file.lines.count > 600 { Issue.record("\(file.path): \(file.lines.count) lines; look for the seam") }
            for function in file.functions where function.length > 60 {
                Issue.record("\(file.path):\(function.start): a function of \(function.length) lines; 60 fit a screen")
            }
        }
    }

    @Test func `name no type after what says nothing`() throws {
        let pattern = try Regex(#"\b(?:struct|class|enum|actor|protocol|typealias)\s+`?([A-Za-z0-9_]+)"#)
        for file in try SourceTree.all() {
            for (number, line) in file.codeLines {
                guard let name = try pattern.firstMatch(in: line)?.output[1].substring else { continue }
                for forbidden in `The sources`.forbiddenNames where name.hasSuffix(forbidden) {
                    Issue.record("\(file.path):\(number): the type \(name): say what it is")
                }
            }
        }
    }

    @Test func `hold no unfinished marks and no machine paths`() throws {
        let marks = ["FIX" + "ME", "TO" + "DO"]
        let paths = ["/wo" + "rk/", "/ro" + "ot/"]
        for file in try SourceTree.everything() {
            for (number, line) in file.lines.enumerated() {
                for mark in marks where line.contains(mark) {
                    Issue.record("\(file.path):\(number + 1): an unfinished mark, \(mark)")
                }
                for path in paths where line.contains(path) && !line.contains("net\(path)") {
                    Issue.record("\(file.path):\(number + 1): a path of somebody's machine")
                }
            }
        }
    }

    @Test func `sleep in no test`() throws {
        for file in try SourceTree.files(under: "Tests") where !file.path.contains("TidyTests") {
            for (number, line) in file.codeLines where line.contains("Task.sleep") || line.contains("usleep(") {
                Issue.record("\(file.path):\(number): a test that sleeps to wait")
            }
        }
    }

    @Test func `and the index of rules point at each other`() throws {
        let index = try String(contentsOfFile: "\(SourceTree.root)/Spec/Index.md", encoding: .utf8)
        let rows = index.split(separator: "\n").filter { line in
            line.hasPrefix("|") && !line.hasPrefix("|-") && !line.hasPrefix("| Rule ")
        }
        #expect(rows.count >= 30, "the index has only \(rows.count) rows")
        let pattern = try Regex(#"`((?:Sources|Tests|Spec|Fixtures|Config)/[^`]*)`"#)
        for row in rows {
            let paths = row.matches(of: pattern).compactMap { $0.output[1].substring }
            if paths.count < 2 { Issue.record("Spec/Index.md: a rule needs a source and a test: \(row)") }
            for path in paths {
                let isThere = FileManager.default.fileExists(atPath: "\(SourceTree.root)/\(path)")
                if !isThere { Issue.record("Spec/Index.md: \(path) is not there: \(row)") }
            }
        }
    }

    @Test func `and the decisions are numbered without a gap`() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: "\(SourceTree.root)/Spec/Decisions").sorted()
        for (place, name) in names.enumerated() {
            let number = String(format: "%04d-", place + 1)
            if !name.hasPrefix(number) { Issue.record("Spec/Decisions/\(name) should begin with \(number)") }
        }
        #expect(!names.isEmpty)
    }
}
