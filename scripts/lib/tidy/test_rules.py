# lmcache · SPDX-License-Identifier: Apache-2.0
"""Each rule finds what it is for and leaves alone what only looks like it."""

from __future__ import annotations

import unittest

from tidy import sizes
from tidy.__main__ import check
from tidy.findings import SourceFile
from tidy.texts import HEADER

PATH = "Sources/CacheEngine/Thing.swift"


def rules(text: str, path: str = PATH, header: str = f"// {HEADER}\n\n") -> list[str]:
    return [finding.rule for finding in check(SourceFile(path, header + text))]


class RuleTests(unittest.TestCase):
    def test_clean_source_has_no_findings(self) -> None:
        self.assertEqual(rules("/// A thing.\npackage struct Thing {}\n"), [])

    def test_header_must_be_exact(self) -> None:
        self.assertEqual(rules("struct Thing {}\n", header="// lmcache\n\n"), ["header"])
        self.assertEqual(rules("struct Thing {}\n", header=f"// {HEADER}\n"), ["header"])
        self.assertEqual(rules("echo\n", path="scripts/one", header="#!/bin/bash\n"), ["header"])
        self.assertEqual(rules("echo\n", path="scripts/one", header=f"#!/bin/bash\n# {HEADER}\n"), [])

    def test_long_files_fail_and_longish_ones_warn(self) -> None:
        def found(count: int, path: str = PATH) -> list[bool]:
            file = SourceFile(path, "let a = 0\n" * count)
            return [finding.is_warning for finding in sizes.file_size(file)]

        self.assertEqual(found(400), [])
        self.assertEqual(found(401), [True])
        self.assertEqual(found(601), [False])
        self.assertEqual(found(700, "Tests/Unit/ThingTests.swift"), [True])

    def test_long_functions_fail(self) -> None:
        body = "    let a = [1: { 2 }]\n" * 69
        self.assertEqual(rules(f"func go(\n  a: Int = {{ 1 }}()\n) {{\n{body}}}\nlet b = 0\n"), ["function-size"])
        self.assertEqual(rules("protocol P {\n  func go()\n" + "  var a: Int { get }\n" * 80 + "}\n"), [])
        self.assertEqual(rules("    let a = Thing.init(1)\n" * 80), [])

    def test_names_say_what_things_do(self) -> None:
        self.assertEqual(rules("final class LeaseManager {}\n"), ["name"])
        self.assertEqual(rules("enum StringUtils {}\n"), ["name"])
        self.assertEqual(rules("let a = 1\n", path="Sources/KVModel/HashHelpers.swift"), ["name"])
        self.assertEqual(rules("struct Utilization {}\n"), [])

    def test_forced_unwraps_need_a_reason(self) -> None:
        self.assertEqual(rules("let a = table[0]!\n"), ["force"])
        self.assertEqual(rules("let a = try! read()\n"), ["force"])
        self.assertEqual(rules("let a = table[0]!  // Safe: filled above.\n"), [])
        self.assertEqual(rules('let a = b != c && !d ? "try! e!" : "f"  // g!\n'), [])
        self.assertEqual(rules("let a = table[0]!\n", path="Tests/Unit/ThingTests.swift"), [])

    def test_tasks_and_foundation_stay_above(self) -> None:
        self.assertEqual(rules("let a = Task { 1 }\n"), ["concurrency"])
        self.assertEqual(rules("import Dispatch\n"), ["concurrency"])
        self.assertEqual(rules("import Foundation\n"), ["foundation"])
        self.assertEqual(rules("internal import FoundationEssentials\n"), ["foundation"])
        self.assertEqual(rules("let a = Task { 1 }\n", path="Sources/AdminHTTP/Thing.swift"), [])
        self.assertEqual(rules("import FoundationEssentials\n", path="Sources/lmcache/Thing.swift"), [])
        self.assertEqual(rules("import Foundation\n", path="Sources/lmcache/Thing.swift"), ["foundation"])
        self.assertEqual(rules("let a = startTask(1)\n"), [])

    def test_unchecked_needs_a_comment(self) -> None:
        self.assertEqual(rules("final class A: @unchecked Sendable {}\n", header=f"// {HEADER}\n\n\n\n\n"), ["unchecked"])
        self.assertEqual(rules("// Touched by its own thread only.\nfinal class A: @unchecked Sendable {}\n"), [])

    def test_empty_files_are_found(self) -> None:
        self.assertEqual(rules(""), ["placeholder"])
        self.assertEqual(rules("let a = 1\n", path="Tests/Unit/Placeholder.swift"), ["placeholder"])

    def test_undocumented_declarations_warn(self) -> None:
        self.assertEqual(rules("package func go() {}\n"), ["documentation"])
        self.assertEqual(rules("/// Goes.\n@discardableResult\npackage func go() -> Int { 1 }\n"), [])
        self.assertEqual(rules("package static func == (a: A, b: A) -> Bool { true }\n"), [])

    def test_unfinished_work_and_machines_are_found(self) -> None:
        self.assertEqual(rules("// FIX" "ME later\nlet a = 1\n"), ["unfinished"])
        self.assertEqual(rules("// TO" "DO: issue 12\nlet a = 1\n"), [])
        self.assertEqual(rules('let a = "/ro' 'ot/x"\n'), ["machine-path"])
        self.assertEqual(rules('let a = "/route/x", b = "a/home/b"\n'), [])


if __name__ == "__main__":
    unittest.main()
