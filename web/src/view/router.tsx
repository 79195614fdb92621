// The page's addresses. The server answers each of them with the same document (src/vigil/api/page.c lists them).
import { createRootRoute, createRoute, createRouter } from '@tanstack/react-router';
import { explorePlace, parseAddress, servicesPlace, writeAddress } from '../model/address';
import { Explore } from './explore/Explore';
import { Notice } from './parts/Notice';
import { Services } from './services/Services';
import { Shell } from './shell/Shell';

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => (
    <Notice title="There is no such page">
      <p>
        <a href="/">All services</a>
      </p>
    </Notice>
  ),
});

const services = createRoute({
  getParentRoute: () => root,
  path: '/',
  validateSearch: servicesPlace,
  component: Services,
});

const explore = createRoute({
  getParentRoute: () => root,
  path: '/explore',
  validateSearch: explorePlace,
  component: Explore,
});

export const router = createRouter({
  routeTree: root.addChildren([services, explore]),
  parseSearch: parseAddress,
  stringifySearch: writeAddress,
  search: { strict: true },
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
