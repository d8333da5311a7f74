import { rewriteLinks, throughProxy } from "./proxy-links.js";

// What an API server of 1.36 made of this page, which a pod behind its proxy gave.
const proxied = {
  prefix: "/api/v1/namespaces/px/pods/web/proxy",
  target: "10.99.70.1:21781",
  asked: "127.0.0.1:21700",
};
const page = [
  '<!DOCTYPE html><HTML Manifest=/m><head profile="/p"><base href="/"><link rel=stylesheet href=/s.css><script src=\'/j.js\'>if (a<b) document.write("<a href=\'/x\'>")</script><style>a{background:url(/y)}</style><title><a href="/t"></title></head>',
  '<body background="/b" CLASS=one data-x="a&nbsp;b&copy=1&amp;&lt;\'">',
  '<!-- <a href="/comment"> --><a href="/abs">1</a><A HREF="rel">2</A><a href=/unquoted/>3</a><a href="http://10.99.70.1:21781/same">4</a><a href="http://other/x">5</a><a href="//other/x">6</a>',
  '<img src="/i.png" longdesc=/l usemap="#m" alt="x > y"/><br/><input src="/q?a=1&amp;b=2" disabled value=\'"quoted"\'><form action="/post?x=1 2">',
  '<a href="/a b/../c//d">7</a><a href="/%zz">8</a><a href="mailto:x@y">9</a><a href="javascript:alert(\'/\')">10</a><a href="/api/v1/namespaces/px/pods/web/proxy/has">11</a><a href="/x" href="/dup">12</a><a',
  " href",
  ' = "/nl">13</a><button formaction=/f>x</button><source srcset="/no" src="/yes"><object data="/d" classid=/c codebase="/cb"><video poster="/vp" src="/v"></video><q cite=/c></q>',
  '<textarea><a href="/in"></textarea><p title="it\'s">é</p><1 <a href="/end"',
  "",
].join("\n");
const answered = [
  '<!DOCTYPE html><html manifest="/api/v1/namespaces/px/pods/web/proxy/m"><head profile="/api/v1/namespaces/px/pods/web/proxy/p"><base href="/api/v1/namespaces/px/pods/web/proxy/"><link rel="stylesheet" href="/api/v1/namespaces/px/pods/web/proxy/s.css"><script src="/api/v1/namespaces/px/pods/web/proxy/j.js">if (a<b) document.write("<a href=\'/x\'>")</script><style>a{background:url(/y)}</style><title><a href="/t"></title></head>',
  '<body background="/api/v1/namespaces/px/pods/web/proxy/b" class="one" data-x="a b&amp;copy=1&amp;&lt;&#39;">',
  '<!-- <a href="/comment"> --><a href="/api/v1/namespaces/px/pods/web/proxy/abs">1</a><a href="rel">2</A><a href="/api/v1/namespaces/px/pods/web/proxy/unquoted/">3</a><a href="/api/v1/namespaces/px/pods/web/proxy/same">4</a><a href="http://other/x">5</a><a href="//other/x">6</a>',
  '<img src="/api/v1/namespaces/px/pods/web/proxy/i.png" longdesc="/api/v1/namespaces/px/pods/web/proxy/l" usemap="#m" alt="x &gt; y"/><br/><input src="/api/v1/namespaces/px/pods/web/proxy/q?a=1&amp;b=2" disabled="" value="&#34;quoted&#34;"><form action="/api/v1/namespaces/px/pods/web/proxy/post?x=1 2">',
  '<a href="/api/v1/namespaces/px/pods/web/proxy/c/d">7</a><a href="/%zz">8</a><a href="mailto:x@y">9</a><a href="javascript:alert(&#39;/&#39;)">10</a><a href="/api/v1/namespaces/px/pods/web/proxy/has">11</a><a href="/api/v1/namespaces/px/pods/web/proxy/x">12</a><a href="/api/v1/namespaces/px/pods/web/proxy/nl">13</a><button formaction="/api/v1/namespaces/px/pods/web/proxy/f">x</button><source srcset="/no" src="/api/v1/namespaces/px/pods/web/proxy/yes"><object data="/api/v1/namespaces/px/pods/web/proxy/d" classid="/api/v1/namespaces/px/pods/web/proxy/c" codebase="/api/v1/namespaces/px/pods/web/proxy/cb"><video poster="/api/v1/namespaces/px/pods/web/proxy/vp" src="/api/v1/namespaces/px/pods/web/proxy/v"></video><q cite="/api/v1/namespaces/px/pods/web/proxy/c"></q>',
  '<textarea><a href="/in"></textarea><p title="it&#39;s">é</p><1 ',
].join("\n");
const bytes = (text: string) => Buffer.from(text).toString("latin1");

describe("links of a proxied page", () => {
  it("lead through the proxy as the real server has them", () => {
    expect(rewriteLinks(bytes(page), proxied).split("\n")).toEqual(bytes(answered).split("\n"));
  });
  it("keep character references that are not known here", () => {
    expect(rewriteLinks('<a href="/x" title="caf&eacute;&#x20AC;&#0;">', proxied)).toBe(
      `<a href="${proxied.prefix}/x" title="caf&eacute;${bytes("\u20ac\ufffd")}">`,
    );
  });
  it.each([
    "<",
    "<a",
    "<a ",
    "<a href",
    "<a href=",
    "<a href='",
    "<!",
    "<!-",
    "<!--",
    "<!-->",
    "<!--->",
    "</",
    "</a",
    "<?x",
    "<script>",
    "<plaintext><a>",
    "<a / = / href=/x>",
    "<title><a href='/x'>",
    "<a =x>",
    "<!--a--!><b>",
    "</a href='>'>x",
  ])("are looked for in %j without harm", (html) => {
    expect(rewriteLinks(html, proxied).length).toBeLessThanOrEqual(html.length + 60);
  });
  it("are found in time that grows with the page alone", () => {
    for (const piece of ["<", "<a ", "<a href='", "<!--", "&", "<script>", "</script", "<a x=y "]) {
      rewriteLinks(piece.repeat(100_000), proxied);
    }
  });
});

describe("a link", () => {
  const { prefix, target, asked } = proxied;
  it.each([
    ["/abs", `${prefix}/abs`],
    ["/abs/", `${prefix}/abs/`],
    ["/", `${prefix}/`],
    ["rel", "rel"],
    ["http://other/x", "http://other/x"],
    ["//evil/x", "//evil/x"],
    [`http://${target}/same`, `${prefix}/same`],
    [`https://${asked}/host`, `https://${asked}${prefix}/host`],
    ["/a%20b?x=1%26y#f", `${prefix}/a%20b?x=1%26y#f`],
    [`${prefix}/has`, `${prefix}/has`],
    ["/../..", `${prefix}`.replace("/web/proxy", "")],
    ["mailto:x@y", "mailto:x@y"],
    ["/%zz", undefined],
    ["a:b/c", "a:b/c"],
    ["1:b/c", undefined],
  ])("%s becomes %s", (link, want) => {
    expect(throughProxy(link, proxied)).toBe(want);
  });
});
